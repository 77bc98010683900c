import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { lastMigration, schemaOf } from '../../../src/storage/migrations.ts'
import { spawnCli } from '../../cli/support.ts'
import { fillDataDir } from '../../support/data-dir.ts'
import { objectsOf, startS3 } from '../../support/s3.ts'
import { until } from '../../support/until.ts'
import { ask, count, entries, IMPORTED, importAll, listed, log, removeAll } from './requests.ts'
import {
  backupOf,
  copied,
  ENTRIES,
  inDatabase,
  LOGGED_STREAMS,
  logs,
  many,
  OLD_STREAMS,
  oldSchema,
  type Place,
  REMOVED,
  restored,
  type Scene,
  start,
  strays,
  up,
} from './scene.ts'

/** Something that is interrupted by a kill. */
export interface Operation {
  name: string
  /** About as long as it takes, in milliseconds: kills fall into this. */
  lastsMs: number
  /** Makes the data directory. @returns settings for Weir */
  prepare(scene: Place): Promise<Record<string, string>>
  /** Begins it. @returns when it ends, and the process to kill */
  begin(scene: Scene): Promise<{ ended: Promise<unknown>; pid(): number }>
  /** Starts Weir again unless it runs, and does whatever the documentation says to do. @returns what doesn't hold */
  check(scene: Scene): Promise<string[]>
}

const MAX_ENTRIES = 1_500
const SWEEP_MS = 15_000
const WORK_MS = 120_000

const firstStart: Operation = {
  name: 'first start',
  lastsMs: 4_000,
  prepare: async () => ({}),
  begin: async ({ weir }) => start(weir),
  async check(scene) {
    await up(scene)
    return (await count(scene.weir)) === 0 ? [] : ['a new database has streams']
  },
}

const migration: Operation = {
  name: 'migration',
  lastsMs: 3_000,
  prepare: (scene) => copied(scene, 'old-schema', oldSchema),
  begin: async ({ weir }) => start(weir),
  async check(scene) {
    await up(scene)
    const found = await count(scene.weir)
    const faults = found === OLD_STREAMS ? [] : [`${found} of ${OLD_STREAMS} streams are there`]
    await scene.weir.close()
    await inDatabase(scene.dataDir, async (db) => {
      if ((await schemaOf(db)) !== lastMigration()) faults.push('the schema is not up to date')
    })
    return faults
  },
}

const retention: Operation = {
  name: 'retention',
  lastsMs: 5_000,
  async prepare(scene) {
    await copied(scene, 'logs', logs)
    return { RETENTION_DAYS: '3650', RETENTION_MAX_ENTRIES: String(MAX_ENTRIES) }
  },
  begin: async ({ weir }) => start(weir),
  async check(scene) {
    await up(scene)
    await until('retention is done', async () => (await entries(scene.weir)) <= MAX_ENTRIES, WORK_MS)
    const faults: string[] = []
    for (const { id } of await listed(scene.weir)) {
      const seqs = (await log(scene.weir, id)).map(({ seq }) => seq)
      const isWhole =
        seqs.every((seq, index) => seq === (seqs[0] as number) + index) && seqs.at(-1) === ENTRIES
      if (seqs.length > 0 && !isWhole)
        faults.push(`the log of ${id} has ${seqs[0]} to ${seqs.at(-1)}, ${seqs.length}`)
      await ask(scene.weir, `/api/streams/${id}/document`).catch((error) => faults.push(String(error)))
    }
    return faults
  },
}

const archive: Operation = {
  name: 'archive',
  lastsMs: 6_000,
  async prepare(scene) {
    await copied(scene, 'logs', logs)
    const s3 = await startS3()
    scene.undo(() => s3.stop())
    scene.objects = async () => (await objectsOf(s3)).length
    return { ...s3.environment, RETENTION_DAYS: '3650' }
  },
  begin: async ({ weir }) => start(weir),
  async check(scene) {
    await up(scene)
    type Report = { days: { state: string; objects: number }[] }
    const done = await until(
      'the archive is done',
      async () => {
        // A day that failed because the database was away is tried again when asked.
        const { days } = JSON.parse(await ask(scene.weir, '/api/archive/run', { method: 'POST' })) as Report
        return days.length === 2 && days.every(({ state }) => state === 'done') && days
      },
      WORK_MS,
    )
    const known = done.reduce((sum, { objects }) => sum + objects, 0)
    const stored = (await scene.objects?.()) ?? 0
    const faults = known === stored ? [] : [`${stored} objects are stored, and ${known} are known`]
    for (const { id } of await listed(scene.weir)) {
      const { length } = await log(scene.weir, id)
      if (length !== ENTRIES) faults.push(`the log of ${id} has ${length} of ${ENTRIES} entries`)
    }
    return faults
  },
}
const backup: Operation = {
  name: 'backup',
  lastsMs: 1_500,
  async prepare(scene) {
    await copied(scene, 'logs', logs)
    return { RETENTION_DAYS: '3650' }
  },
  async begin({ weir, directory }) {
    await start(weir).then(({ ended }) => ended)
    const cli = spawnCli(['backup', join(directory, 'first.gz')], { WEIR_URL: weir.url })
    return { ended: cli.ended(), pid: () => weir.pid as number }
  },
  async check(scene) {
    const { directory, weir } = scene
    await up(scene)
    const faults = readdirSync(directory)
      .filter((name) => name.endsWith('.part'))
      .map((name) => `${name} is left behind`)
    const again = join(directory, 'second.gz')
    for (const file of [join(directory, 'first.gz'), again]) {
      if (file === again) {
        const { code, err } = await spawnCli(['backup', file], { WEIR_URL: weir.url }).ended()
        if (code !== 0) faults.push(`another backup ended with ${code}: ${err}`)
      }
      if (existsSync(file)) faults.push(...(await restored(file, join(directory, `of-${file === again}`))))
    }
    return faults
  },
}

const restore: Operation = {
  name: 'restore',
  lastsMs: 5_000,
  async prepare(scene) {
    await backupOf(scene)
    return { RETENTION_DAYS: '3650' }
  },
  async begin({ dataDir, home }) {
    const cli = spawnCli(['restore', join(home, 'backup.gz')], { DATA_DIR: dataDir })
    return { ended: cli.ended(), pid: () => cli.child.pid }
  },
  async check(scene) {
    const { dataDir, home } = scene
    const { code, err } = await spawnCli(['restore', join(home, 'backup.gz')], { DATA_DIR: dataDir }).ended()
    const faults =
      code === 0 || err.includes("isn't empty") ? [] : [`restoring again ended with ${code}: ${err}`]
    await up(scene)
    const found = await count(scene.weir)
    return found === LOGGED_STREAMS ? faults : [...faults, `${found} of ${LOGGED_STREAMS} streams are there`]
  },
}

const importing: Operation = {
  name: `import of ${IMPORTED}`,
  lastsMs: 4_000,
  async prepare({ dataDir }) {
    await fillDataDir(dataDir)
    return {}
  },
  async begin({ weir }) {
    await start(weir).then(({ ended }) => ended)
    return { ended: importAll(weir), pid: () => weir.pid as number }
  },
  async check(scene) {
    await up(scene)
    const report = await importAll(scene.weir)
    const found = await count(scene.weir)
    if (found === IMPORTED) return []
    return [`${found} of ${IMPORTED} streams are there after another import: ${report.slice(-300)}`]
  },
}

const removal: Operation = {
  name: `delete of ${REMOVED}`,
  lastsMs: 4_000,
  prepare: (scene) => copied(scene, 'many', many),
  async begin({ weir }) {
    await start(weir).then(({ ended }) => ended)
    return { ended: removeAll(weir), pid: () => weir.pid as number }
  },
  async check(scene) {
    await up(scene)
    await removeAll(scene.weir)
    const found = await count(scene.weir)
    const faults = found === 0 ? [] : [`${found} streams are there after another delete`]
    // What an interrupted removal left goes at the next start, or within the hour.
    await scene.weir.close()
    await up(scene)
    await until('nothing is left of them', async () => (await strays(scene.dataDir)) === 0, SWEEP_MS).catch(
      (error) => faults.push(String(error)),
    )
    return faults
  },
}

export const OPERATIONS: readonly Operation[] = [
  firstStart,
  migration,
  retention,
  archive,
  backup,
  restore,
  importing,
  removal,
]
