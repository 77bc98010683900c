import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { sql } from 'drizzle-orm'
import { openAsItIs } from '../../src/storage/open.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { childrenOf, freeze } from '../support/freeze.ts'
import { createDatabase, POSTGRES_BIN, startPostgres, type TestServer } from '../support/servers.ts'

setDefaultTimeout(60_000)

/** More than a pool has connections. */
const TRANSACTIONS = 12

describe.skipIf(POSTGRES_BIN === undefined)('connections', () => {
  let postgres: TestServer
  let storage: Storage

  beforeAll(async () => {
    postgres = await startPostgres()
    storage = await openAsItIs({ databaseUrl: await createDatabase(postgres), dataDir: '' })
  })
  afterAll(async () => {
    await storage.close()
    await postgres.stop()
  })

  test('transactions that could not begin keep no connection', async () => {
    const { db } = storage
    const connected = Array.from({ length: TRANSACTIONS }, () => db.execute(sql`SELECT pg_sleep(0.1)`))
    await Promise.all(connected)
    await freeze(postgres.pid)
    const begun = Array.from({ length: TRANSACTIONS }, () =>
      db.transaction((tx) => tx.execute(sql`SELECT 1`)),
    )
    const ended = Promise.allSettled(begun)
    const children = childrenOf(postgres.pid)
    await postgres.kill()
    for (const child of children) process.kill(child, 'SIGKILL')
    expect((await ended).map(({ status }) => status)).toEqual(begun.map(() => 'rejected'))
    await postgres.restart()
    expect(await db.execute(sql`SELECT 1 AS one`)).toMatchObject({ rows: [{ one: 1 }] })
  })

  test('a lock of somebody else fails a statement; what may take long waits', async () => {
    const { rows } = (await storage.db.execute(
      sql`SELECT current_setting('lock_timeout') AS lock, current_setting('statement_timeout') AS statement`,
    )) as { rows: { lock: string; statement: string }[] }
    expect(rows).toEqual([{ lock: '10s', statement: '2min' }])
  })
})
