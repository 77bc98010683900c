import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import { randomFor } from '../../../src/sim/random.ts'
import { lastMigration, migrate, readMigrations, schemaOf } from '../../../src/storage/migrations.ts'
import { openAsItIs } from '../../../src/storage/open.ts'
import type { Database } from '../../../src/storage/storage.ts'
import { oddDrafts, openBench } from '../../archive/support.ts'
import { spawnCli } from '../../cli/support.ts'
import { fillDataDir } from '../../support/data-dir.ts'
import { objectsOf, startS3 } from '../../support/s3.ts'
import { until } from '../../support/until.ts'
import { inside } from './inside.ts'
import type { Weir } from './weir.ts'

/** Where an operation takes place. */
export interface Scene {
  weir: Weir
  dataDir: string
  /** Of this kill. */
  directory: string
  /** Of all kills: what takes long is made once. */
  home: string
  undo(step: () => Promise<unknown>): void
}

/** Something that is interrupted by a kill. */
export interface Operation {
  name: string
  /** About as long as it takes, in milliseconds: kills fall into this. */
  lastsMs: number
  /** Makes the data directory. @returns settings for Weir */
  prepare(scene: Omit<Scene, 'weir'>): Promise<Record<string, string>>
  /** Begins it. @returns when it ends, and the process to kill */
  begin(scene: Scene): Promise<{ ended: Promise<unknown>; pid(): number }>
  /** Starts Weir again unless it runs, and does whatever the documentation says to do. @returns what doesn't hold */
  check(scene: Scene): Promise<string[]>
}

const IMPORTED = 5_000
const REMOVED = 1_000
/** One in so many of them has a log. */
const WITH_LOG = 20
/** The logs are the same for every run. */
const SEED = 1
const OLD_STREAMS = 400
const ENTRIES = 300
const LOGGED_STREAMS = 12
const MAX_ENTRIES = 1_500
const SWEEP_MS = 15_000
const WORK_MS = 120_000
const NDJSON = { 'Content-Type': 'application/x-ndjson' }

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
      const latest = await fetch(`${scene.weir.url}/api/streams/${id}/document`)
      if (!latest.ok)
        faults.push(`the document of ${id} was answered ${latest.status}: ${await latest.text()}`)
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
    archives.set(scene.directory, async () => (await objectsOf(s3)).length)
    return { ...s3.environment, RETENTION_DAYS: '3650' }
  },
  begin: async ({ weir }) => start(weir),
  async check(scene) {
    await up(scene)
    type Report = { days: { state: string; objects: number }[] }
    await fetch(`${scene.weir.url}/api/archive/run`, { method: 'POST' })
    const done = await until(
      'the archive is done',
      async () => {
        const { days } = (await (await fetch(`${scene.weir.url}/api/archive`)).json()) as Report
        return days.length === 2 && days.every(({ state }) => state === 'done') && days
      },
      WORK_MS,
    )
    const known = done.reduce((sum, { objects }) => sum + objects, 0)
    const stored = (await archives.get(scene.directory)?.()) ?? 0
    const faults = known === stored ? [] : [`${stored} objects are stored, and ${known} are known`]
    for (const { id } of await listed(scene.weir)) {
      const { length } = await log(scene.weir, id)
      if (length !== ENTRIES) faults.push(`the log of ${id} has ${length} of ${ENTRIES} entries`)
    }
    return faults
  },
}
/** Counts the objects of a scene's bucket. */
const archives = new Map<string, () => Promise<number>>()

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

async function start(weir: Weir) {
  weir.start()
  return { ended: weir.ready(), pid: () => weir.pid as number }
}

/** Weir runs, whether it was killed or only its Postgres. */
async function up({ weir }: Scene): Promise<void> {
  for (let attempt = 0; attempt < 2; attempt++) {
    weir.start()
    if (await weir.ready()) return
  }
  throw new Error('Weir does not start again')
}

/** A data directory that is made once. */
export async function copied(
  { home, dataDir }: Omit<Scene, 'weir'>,
  name: string,
  make: (dataDir: string) => Promise<void>,
): Promise<Record<string, string>> {
  const original = join(home, name)
  if (!existsSync(original)) await make(original)
  if ((await Bun.spawn(['cp', '-a', `${original}/.`, dataDir]).exited) !== 0)
    throw new Error(`No copy of ${name}`)
  return {}
}

/** Entries of streams that aren't there. */
function strays(dataDir: string): Promise<number> {
  return inside(dataDir, async (client) => {
    const { rows } = await client.query(`SELECT count(*)::int AS strays FROM weir.entries AS entry
      WHERE NOT EXISTS (SELECT FROM weir.streams WHERE id = entry.stream_id)`)
    return (rows[0] as { strays: number }).strays
  })
}

async function inDatabase(dataDir: string, step: (db: Database) => Promise<unknown>): Promise<void> {
  const storage = await openAsItIs({ databaseUrl: undefined, dataDir })
  try {
    await step(storage.db)
  } finally {
    await storage.close()
  }
}

/** Streams as the first schema had them. */
async function oldSchema(dataDir: string): Promise<void> {
  await inDatabase(dataDir, async (db) => {
    await migrate(db, readMigrations()[0]?.madeAt)
    await db.execute(sql`
      INSERT INTO weir.streams (id, name, kind, url, method, headers, interval_ms, payload_pointer, ignore_paths,
        array_keys, tags, notify, desired, created_at, updated_at)
      SELECT gen_random_uuid(), 'old ' || number, 'poll', 'http://127.0.0.1:9/' || number, 'GET', '{}', 60000, '', '{}', '{}',
        '{}', '{}', 'stopped', now(), now()
      FROM generate_series(1, ${OLD_STREAMS}::int) AS number`)
  })
}

/** Stopped streams with logs of two closed days. */
export async function logs(dataDir: string): Promise<void> {
  const random = randomFor(SEED, 'logs')
  const bench = await openBench({ DATA_DIR: dataDir })
  for (let index = 0; index < LOGGED_STREAMS; index++) {
    const id = await bench.register()
    await bench.record(id, oddDrafts(random, ENTRIES))
    await bench.streams.stop(id)
  }
  await bench.close()
}

/** Stopped streams with a short log each. */
async function many(dataDir: string): Promise<void> {
  const random = randomFor(SEED, 'many')
  const bench = await openBench({ DATA_DIR: dataDir })
  for (let index = 0; index < REMOVED; index++) {
    const { id } = await bench.streams.register({ url: `http://a.test/${index}`, kind: 'poll' })
    if (index % WITH_LOG === 0) await bench.record(id, oddDrafts(random, 20))
    await bench.streams.stop(id)
  }
  await bench.close()
}

async function backupOf(scene: Omit<Scene, 'weir'>): Promise<void> {
  const file = join(scene.home, 'backup.gz')
  if (existsSync(file)) return
  await copied({ ...scene, dataDir: join(scene.home, 'backed-up') }, 'logs', logs)
  const { Weir: Process } = await import('./weir.ts')
  const weir = new Process({
    dataDir: join(scene.home, 'backed-up'),
    environment: { RETENTION_DAYS: '3650' },
  })
  weir.start()
  if (!(await weir.ready())) throw new Error(weir.output)
  const { code, err } = await spawnCli(['backup', file], { WEIR_URL: weir.url }).ended()
  await weir.close()
  if (code !== 0) throw new Error(`The backup ended with ${code}: ${err}`)
}

async function restored(file: string, dataDir: string): Promise<string[]> {
  const { code, out, err } = await spawnCli(['restore', file, '--json'], { DATA_DIR: dataDir }).ended()
  if (code !== 0) return [`a backup can't be restored: ${err}`]
  const { streams, entries: found } = JSON.parse(out) as { streams: number; entries: number }
  const isWhole = streams === LOGGED_STREAMS && found === LOGGED_STREAMS * ENTRIES
  return isWhole ? [] : [`a backup has ${streams} streams with ${found} entries`]
}

async function importAll(weir: Weir): Promise<string> {
  const body = Array.from({ length: IMPORTED }, (_, index) =>
    JSON.stringify({
      name: `imported ${index}`,
      url: `http://127.0.0.1:9/${index}`,
      kind: 'poll',
      start: false,
    }),
  ).join('\n')
  return (await fetch(`${weir.url}/api/streams/import`, { method: 'POST', headers: NDJSON, body })).text()
}

async function removeAll(weir: Weir): Promise<void> {
  const ids = (await listed(weir)).map(({ id }) => id)
  const body = JSON.stringify({ action: 'delete', ids })
  const headers = { 'Content-Type': 'application/json' }
  if (ids.length > 0)
    await (await fetch(`${weir.url}/api/streams/bulk`, { method: 'POST', headers, body })).text()
}

export async function listed(weir: Weir): Promise<{ id: string }[]> {
  return lines(await fetch(`${weir.url}/api/streams/export?format=ndjson`))
}

async function log(weir: Weir, id: string): Promise<{ seq: number }[]> {
  return lines(
    await fetch(`${weir.url}/api/streams/${id}/logs`, { headers: { Accept: 'application/x-ndjson' } }),
  )
}

export async function lines<T>(response: Response): Promise<T[]> {
  if (!response.ok)
    throw new Error(`${response.url} was answered ${response.status}: ${await response.text()}`)
  return (await response.text())
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as T)
}

async function count(weir: Weir): Promise<number> {
  return (await listed(weir)).length
}

async function entries(weir: Weir): Promise<number> {
  const report = (await (await fetch(`${weir.url}/api/storage`)).json()) as { log: { entries: number } }
  return report.log.entries
}
