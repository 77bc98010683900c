import { afterAll, beforeAll } from 'bun:test'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type SQL, sql } from 'drizzle-orm'
import type { PoolClient } from 'pg'
import type { Database, Storage } from '../../src/storage/storage.ts'
import type { Stream } from '../../src/streams/ingest/run.ts'
import { insertStreams, newStream } from '../../src/streams/registry/new-stream.ts'
import { openStorage, removeDataDir } from './data-dir.ts'
import { until } from './until.ts'

/** The embedded database for the tests of a file. */
export interface TestStorage {
  readonly db: Database
  readonly storage: Storage
  readonly dataDir: string
  /** Stores a stream, by default one of the kind `sse` that should run. */
  stream(said?: Partial<Stream>): Promise<Stream>
  rows<Row>(query: SQL): Promise<Row[]>
  /** A session of its own, for what another process does at the same time. */
  session(): Promise<Session>
}

export interface Session {
  run<Row extends object = Record<string, unknown>>(text: string, values?: unknown[]): Promise<Row[]>
  /** Waits until a statement of another session waits for this one. */
  isWaitedFor(): Promise<void>
  end(): void
}

export function testStorage(): TestStorage {
  let storage: Storage
  const dataDir = mkdtempSync(join(tmpdir(), 'weir-storage-'))
  beforeAll(async () => {
    storage = await openStorage({ databaseUrl: undefined, dataDir })
  })
  afterAll(async () => {
    await storage.close()
    await removeDataDir(dataDir)
  })
  return {
    dataDir,
    get db() {
      return storage.db
    },
    get storage() {
      return storage
    },
    async stream(said = {}) {
      const [stream] = await insertStreams(storage.db, [
        newStream({ url: 'http://a.test/', kind: 'sse', ...said }),
      ])
      return stream as Stream
    },
    rows: async <Row>(query: SQL) => ((await storage.db.execute(query)) as unknown as { rows: Row[] }).rows,
    session: () => openSession(storage),
  }
}

async function openSession({ pool, db }: Storage): Promise<Session> {
  const client = (await pool.connect()) as unknown as PoolClient
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
  const pid = rows[0]?.pid
  return {
    run: async <Row extends object>(text: string, values: unknown[] = []) =>
      (await client.query(text, values)).rows as Row[],
    isWaitedFor: () =>
      until('another session waits', async () => {
        const query = sql`SELECT FROM pg_stat_activity WHERE ${pid}::int = ANY (pg_blocking_pids(pid))`
        return ((await db.execute(query)) as unknown as { rows: unknown[] }).rows.length > 0
      }).then(() => {}),
    // Closed rather than given back: whatever it still holds is gone with it.
    end: () => client.release(true),
  }
}

/** The database, with something that happens right before the next statement that is given as text. */
export function interrupted(db: Database, happening: () => Promise<unknown>): Database {
  let isOver = false
  return new Proxy(db, {
    get(target, name) {
      const value = Reflect.get(target, name)
      if (name !== 'execute') return typeof value === 'function' ? value.bind(target) : value
      return async (query: Parameters<Database['execute']>[0]) => {
        if (!isOver) {
          isOver = true
          await happening()
        }
        return target.execute(query)
      }
    },
  })
}
