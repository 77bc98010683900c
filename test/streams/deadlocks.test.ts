import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { sql } from 'drizzle-orm'
import { Client } from 'pg'
import { transact } from '../../src/storage/errors/sql-state.ts'
import type { Database } from '../../src/storage/storage.ts'
import { runStore } from '../../src/streams/ingest/run-store.ts'
import { emptyDelta, tallied } from '../../src/streams/measures/rollup-delta.ts'
import { storeSums } from '../../src/streams/recording/store-rollups.ts'
import { testBus } from '../support/bus.ts'
import { openStorage } from '../support/data-dir.ts'
import { isSkipped, type OpenSetup, SETUPS } from '../support/setups.ts'
import { until } from '../support/until.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

const setup = SETUPS[1] as (typeof SETUPS)[number]

/** Locks a stream's checkpoint, then its state. */
const touch = (id: string) => sql`
  WITH moved AS (UPDATE weir.checkpoints SET epoch = epoch + 1 WHERE stream_id = ${id} RETURNING stream_id)
  UPDATE weir.states SET attempt = attempt + 1 FROM moved WHERE states.stream_id = moved.stream_id`

// Only on a server, where it is installed: to the embedded database nobody else writes.
describe.skipIf(isSkipped(setup))('while the database is busy with a stream', () => {
  let services: OpenSetup
  let weir: TestWeir
  /** What else writes there, as recording does. */
  let other: Client

  beforeAll(async () => {
    services = await setup.open()
    other = new Client({ connectionString: services.environment.DATABASE_URL })
    await other.connect()
    // It is Weir that finds out about a deadlock, and has to give way.
    await other.query("ALTER ROLE CURRENT_USER SET deadlock_timeout = '3s'")
    await other.query("SET deadlock_timeout = '60s'")
    weir = await startTestWeir(services.environment)
  })

  afterAll(async () => {
    expect(weir.warnings).toEqual([])
    await other.end()
    await weir.close()
    await services.close()
  })

  const register = () => weir.register({ url: 'http://127.0.0.1:1/', kind: 'sse', start: false })

  /** Has Weir wait for a row of the stream that is locked here, and then waits for what Weir has locked. */
  async function crossing<T>(id: string, lock: string, ask: () => Promise<T>, cross: string): Promise<T> {
    await other.query('BEGIN')
    await other.query(lock, [id])
    const asked = ask()
    const { rows } = await other.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
    await until('Weir waits', async () => {
      const waiting = 'SELECT 1 FROM pg_locks WHERE NOT granted AND $1 = ANY (pg_blocking_pids(pid))'
      return (await other.query(waiting, [rows[0]?.pid])).rowCount !== 0
    })
    await other.query(cross, [id])
    await other.query('COMMIT')
    return asked
  }

  // The order in which sums are written: the checkpoint, then a row that refers to the stream.
  test.each([
    ['one', (id: string) => weir.send('DELETE', `/api/streams/${id}`), 204],
    ['many', (id: string) => weir.send('POST', '/api/streams/bulk', { action: 'delete', ids: [id] }), 200],
  ])('a deadlock doesn’t fail the removal of %s', async (_, ask, status) => {
    const { id } = await register()
    const response = await crossing(
      id,
      'SELECT 1 FROM weir.checkpoints WHERE stream_id = $1 FOR UPDATE',
      () => ask(id),
      'SELECT 1 FROM weir.streams WHERE id = $1 FOR KEY SHARE',
    )
    expect(response.status).toBe(status)
    expect((await weir.get(`/api/streams/${id}`)).status).toBe(404)
  })

  test('a deadlock doesn’t fail a start', async () => {
    const { id } = await register()
    const response = await crossing(
      id,
      'SELECT 1 FROM weir.states WHERE stream_id = $1 FOR UPDATE',
      () => weir.send('POST', `/api/streams/${id}/start`),
      'SELECT 1 FROM weir.streams WHERE id = $1 FOR UPDATE',
    )
    expect(response.status).toBe(200)
    expect(await response.json()).toMatchObject({ desired: 'running' })
  })

  // A run is begun by one statement over three tables, in the order of whatever plan the database makes.
  test('a deadlock doesn’t fail a run', async () => {
    const { id } = await register()
    const storage = await openStorage({ databaseUrl: services.environment.DATABASE_URL, dataDir: '' })
    const store = runStore(storage.db, 'worker of the test', testBus(), { rebuild: async () => undefined })
    // Not by a request, which would take its own locks.
    await storage.db.execute(sql`UPDATE weir.streams SET desired = 'running' WHERE id = ${id}`)
    const run = await crossing(
      id,
      'SELECT 1 FROM weir.states WHERE stream_id = $1 FOR UPDATE',
      () => store.begin({ streamId: id, attempt: 1, takeOver: true }),
      'SELECT 1 FROM weir.checkpoints WHERE stream_id = $1 FOR UPDATE',
    )
    expect(run?.stream.id).toBe(id)
    expect((await weir.send('DELETE', `/api/streams/${id}`)).status).toBe(204)
    await storage.close()
  })

  // Whoever removes a stream locks it first, and its checkpoint last.
  test('a deadlock doesn’t fail the sums of a run', async () => {
    const { id } = await register()
    const storage = await openStorage({ databaseUrl: services.environment.DATABASE_URL, dataDir: '' })
    const entry = { seq: 1, at: Date.UTC(2026, 0, 5, 12), kind: 'event' as const, wireBytes: 7, bodyBytes: 7 }
    const tally = tallied(emptyDelta(0), [entry])
    const summed = await crossing(
      id,
      'SELECT 1 FROM weir.streams WHERE id = $1 FOR UPDATE',
      () => storeSums(storage.db, [{ streamId: id, epoch: 0, tally }]),
      'SELECT 1 FROM weir.checkpoints WHERE stream_id = $1 FOR UPDATE',
    )
    expect([...summed]).toEqual([id])
    const { rows } = await other.query('SELECT entries FROM weir.rollups WHERE stream_id = $1', [id])
    expect(rows).toEqual([{ entries: '1' }])
    await storage.close()
  })

  test.each([
    ['statement', async (db: Database, id: string) => await db.execute(touch(id))],
    ['transaction', (db: Database, id: string) => transact(db, (tx) => tx.execute(touch(id)))],
  ])('a %s that a deadlock ended is run again', async (_, write) => {
    const { id } = await register()
    const storage = await openStorage({ databaseUrl: services.environment.DATABASE_URL, dataDir: '' })
    await crossing(
      id,
      'SELECT 1 FROM weir.states WHERE stream_id = $1 FOR UPDATE',
      () => write(storage.db, id),
      'SELECT 1 FROM weir.checkpoints WHERE stream_id = $1 FOR UPDATE',
    )
    const { rows } = await other.query('SELECT epoch FROM weir.checkpoints WHERE stream_id = $1', [id])
    expect(rows).toEqual([{ epoch: 1 }])
    await storage.close()
  })
})
