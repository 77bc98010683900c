import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import { randomFor } from '../../../src/sim/random.ts'
import { migrate, readMigrations } from '../../../src/storage/migrations.ts'
import { openAsItIs } from '../../../src/storage/open.ts'
import type { Database } from '../../../src/storage/storage.ts'
import { oddDrafts, openBench } from '../../archive/support.ts'
import { spawnCli } from '../../cli/support.ts'
import { fillDataDir } from '../../support/data-dir.ts'
import { inside } from './inside.ts'
import { Weir } from './weir.ts'

/** Where an operation takes place. */
export interface Place {
  dataDir: string
  /** Of this kill. */
  directory: string
  /** Of all kills: what takes long is made once. */
  home: string
  undo(step: () => Promise<unknown>): void
  /** Counts the objects of its bucket, if it has one. */
  objects?(): Promise<number>
}

export interface Scene extends Place {
  weir: Weir
}

export const REMOVED = 1_000
/** One in so many of them has a log. */
const WITH_LOG = 20
/** The logs are the same for every run. */
const SEED = 1
export const OLD_STREAMS = 400
export const ENTRIES = 300
export const LOGGED_STREAMS = 12

export async function start(weir: Weir) {
  weir.start()
  return { ended: weir.ready(), pid: () => weir.pid as number }
}

/** Weir runs, whether it was killed or only its Postgres. */
export async function up({ weir }: Scene): Promise<void> {
  for (let attempt = 0; attempt < 2; attempt++) {
    weir.start()
    if (await weir.ready()) return
  }
  throw new Error('Weir does not start again')
}

/** A data directory that is made once. */
export async function copied(
  { home, dataDir }: Place,
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
export function strays(dataDir: string): Promise<number> {
  return inside(dataDir, async (client) => {
    const { rows } = await client.query(`SELECT count(*)::int AS strays FROM weir.entries AS entry
      WHERE NOT EXISTS (SELECT FROM weir.streams WHERE id = entry.stream_id)`)
    return (rows[0] as { strays: number }).strays
  })
}

export async function inDatabase(dataDir: string, step: (db: Database) => Promise<unknown>): Promise<void> {
  const storage = await openAsItIs({ databaseUrl: undefined, dataDir })
  try {
    await step(storage.db)
  } finally {
    await storage.close()
  }
}

/** Streams as the first schema had them. */
export async function oldSchema(dataDir: string): Promise<void> {
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
  await fillDataDir(dataDir)
  const bench = await openBench({ DATA_DIR: dataDir })
  for (let index = 0; index < LOGGED_STREAMS; index++) {
    const id = await bench.register()
    await bench.record(id, oddDrafts(random, ENTRIES))
    await bench.streams.stop(id)
  }
  await bench.close()
}

/** Stopped streams with a short log each. */
export async function many(dataDir: string): Promise<void> {
  const random = randomFor(SEED, 'many')
  await fillDataDir(dataDir)
  const bench = await openBench({ DATA_DIR: dataDir })
  for (let index = 0; index < REMOVED; index++) {
    const { id } = await bench.streams.register({ url: `http://a.test/${index}`, kind: 'poll' })
    if (index % WITH_LOG === 0) await bench.record(id, oddDrafts(random, 20))
    await bench.streams.stop(id)
  }
  await bench.close()
}

export async function backupOf(scene: Place): Promise<void> {
  const file = join(scene.home, 'backup.gz')
  if (existsSync(file)) return
  await copied({ ...scene, dataDir: join(scene.home, 'backed-up') }, 'logs', logs)
  const weir = new Weir({
    dataDir: join(scene.home, 'backed-up'),
    environment: { RETENTION_DAYS: '3650' },
  })
  weir.start()
  if (!(await weir.ready())) throw new Error(weir.output)
  const { code, err } = await spawnCli(['backup', file], { WEIR_URL: weir.url }).ended()
  await weir.close()
  if (code !== 0) throw new Error(`The backup ended with ${code}: ${err}`)
}

export async function restored(file: string, dataDir: string): Promise<string[]> {
  const { code, out, err } = await spawnCli(['restore', file, '--json'], { DATA_DIR: dataDir }).ended()
  if (code !== 0) return [`a backup can't be restored: ${err}`]
  const { streams, entries: found } = JSON.parse(out) as { streams: number; entries: number }
  const isWhole = streams === LOGGED_STREAMS && found === LOGGED_STREAMS * ENTRIES
  return isWhole ? [] : [`a backup has ${streams} streams with ${found} entries`]
}
