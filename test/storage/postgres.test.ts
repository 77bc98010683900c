import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { sql } from 'drizzle-orm'
import { Client, type PoolClient } from 'pg'
import { postgresTransport } from '../../src/relay/postgres.ts'
import { lastMigration, migrate, schemaOf } from '../../src/storage/migrations.ts'
import { openPostgres } from '../../src/storage/postgres.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { createDatabase, startPostgres, type TestServer } from '../support/servers.ts'
import { isSkipped, SETUPS } from '../support/setups.ts'
import { until } from '../support/until.ts'

const setup = SETUPS[1] as (typeof SETUPS)[number]
/** The key of the lock for migrations, which every version must use. */
const MIGRATION_LOCK = 0x77656972

describe.skipIf(isSkipped(setup))('a Postgres server', () => {
  let server: TestServer
  let url: string
  let storage: Storage
  let other: Client

  beforeAll(async () => {
    server = await startPostgres()
    url = await createDatabase(server)
    storage = await openPostgres(url)
    other = new Client({ connectionString: url })
    await other.connect()
  })

  afterAll(async () => {
    await other.end()
    await storage.close()
    await server.stop()
  })

  const kill = (which: string) =>
    other.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND pid <> pg_backend_pid() AND ${which}`)

  test('processes that start together migrate it one after the other', async () => {
    await other.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK])
    const both = Promise.all([migrate(storage.db), migrate(storage.db)])
    await until('both wait', async () => {
      const waiting = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = $1"
      return (await other.query(waiting, [MIGRATION_LOCK])).rowCount === 2
    })
    expect(await schemaOf(storage.db)).toBe(0)
    await other.query('SELECT pg_advisory_unlock($1)', [MIGRATION_LOCK])
    await both
    expect(await schemaOf(storage.db)).toBe(lastMigration())
  })

  test('a migration that fails leaves nothing behind', async () => {
    const fresh = await openPostgres(await createDatabase(server))
    try {
      // Something is in the way of the last one.
      await fresh.db.execute(sql`CREATE SCHEMA weir`)
      await fresh.db.execute(sql`CREATE TABLE weir.fleet_rollups ()`)
      expect(migrate(fresh.db)).rejects.toThrow()
      await until('it is undone', async () => (await schemaOf(fresh.db)) === 0)
    } finally {
      await fresh.close()
    }
  })

  test('a connection that breaks while it is idle, or in somebody’s hand, is replaced', async () => {
    const held = (await storage.pool.connect()) as unknown as PoolClient
    const broken = Promise.withResolvers<void>()
    held.once('end', broken.resolve)
    await storage.db.execute(sql`SELECT 1`)
    expect((storage.pool as unknown as Client).listenerCount('error')).toBeGreaterThan(0)
    expect(held.listenerCount('error')).toBeGreaterThan(0)
    await kill('true')
    await broken.promise
    held.release(true)
    const answers = async () => {
      const { rows } = (await storage.db.execute(sql`SELECT 1 AS one`)) as unknown as { rows: unknown[] }
      return rows.length === 1
    }
    await until('it answers', () => answers().catch(() => false))
  })

  test('a relay whose line breaks listens again, and says that messages may be missing', async () => {
    const line = await postgresTransport(url, storage.pool)
    const received: string[] = []
    const restored = Promise.withResolvers<void>()
    line.listen({ received: (payload) => void received.push(payload), restored: restored.resolve })
    await line.send(['one', 'two'])
    await until('they arrive', () => received.length === 2)
    await kill("query LIKE 'LISTEN%'")
    await restored.promise
    await line.send(['three'])
    await until('the next one arrives', () => received.length === 3)
    expect(received).toEqual(['one', 'two', 'three'])
    await line.close()
  })

  test('the longest message of the relay fits', async () => {
    const line = await postgresTransport(url, storage.pool)
    const received: string[] = []
    line.listen({ received: (payload) => void received.push(payload), restored: () => {} })
    expect(line.maxItems).toBe(100)
    const spans = Array.from({ length: line.maxItems }, () => [Bun.randomUUIDv7(), 123_456_789, 123_456_789])
    const text = JSON.stringify({
      from: 'x'.repeat(60),
      number: 123_456_789,
      message: { type: 'entries.stored', spans },
    })
    await line.send([text])
    await until('it arrives', () => received.length === 1)
    await line.close()
  })

  test('an address that can’t be reached is named without its password', async () => {
    expect(openPostgres('postgres://u:secret@127.0.0.1:1/db')).rejects.toThrow(
      /^Can't reach postgres:\/\/127\.0\.0\.1:1\/db \((?!.*secret)/,
    )
  })
})
