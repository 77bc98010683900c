import { expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import { tryLock } from '../../src/storage/directory-lock.ts'
import { againAfterDeadlock } from '../../src/storage/errors/sql-state.ts'
import { openStorage } from '../../src/storage/open.ts'
import {
  dayOf,
  dropDay,
  listPartitions,
  makePartitions,
  type Partitioned,
} from '../../src/storage/partitions.ts'
import { newDataDir } from '../support/data-dir.ts'
import { testStorage } from '../support/storage.ts'

const own = testStorage()
const FROM = Date.UTC(2026, 0, 5, 12)
const minuteAt = (index: number) => new Date(FROM + index * 60_000).toISOString()
const INSERT = `INSERT INTO weir.rollups (stream_id, minute, first_seq, last_seq, entries)
  SELECT $1, minute::timestamptz, 1, 1, 1 FROM unnest($2::text[]) AS minute`
const fleetEntries = async () =>
  (await own.rows<{ n: number }>(sql`SELECT coalesce(sum(entries), 0)::int AS n FROM weir.fleet_rollups`))[0]
    ?.n

test('sums of the fleet are locked in one order, whatever the order of the minutes', async () => {
  const { id } = await own.stream()
  const writer = await own.session()
  const other = await own.session()
  // Of the plans that the database may make, one that doesn't sort by itself.
  await writer.run('SET enable_sort = off')
  const minutes = Array.from({ length: 40 }, (_, index) => minuteAt(39 - index))
  await writer.run(INSERT, [id, minutes])
  // The next write adds to the same rows.
  const { id: second } = await own.stream()
  await other.run('BEGIN')
  const lock = 'SELECT FROM weir.fleet_rollups WHERE at = $1::timestamptz FOR UPDATE'
  expect(await other.run(lock, [minuteAt(20)])).toHaveLength(1)
  const written = writer.run(INSERT, [second, minutes])
  await other.isWaitedFor()
  // It waits for that one, has all earlier ones, and none of the later ones yet.
  const free = 'SELECT at FROM weir.fleet_rollups ORDER BY at FOR UPDATE SKIP LOCKED'
  const left = await other.run<{ at: Date }>(free)
  expect(left.map(({ at }) => new Date(at).toISOString())).toEqual(
    Array.from({ length: 20 }, (_, index) => minuteAt(20 + index)),
  )
  await other.run('COMMIT')
  await written
  expect(await fleetEntries()).toBe(80)
  writer.end()
  other.end()
  await own.db.execute(sql`DELETE FROM weir.streams`)
})

test('a stream that is removed takes its sums with it, and those that are being written', async () => {
  const before = await fleetEntries()
  const { id } = await own.stream()
  const writer = await own.session()
  await writer.run(INSERT, [id, [minuteAt(0)]])
  await writer.run('BEGIN')
  await writer.run(INSERT, [id, [minuteAt(1)]])
  const removed = againAfterDeadlock(() => own.db.execute(sql`DELETE FROM weir.streams WHERE id = ${id}`))
  await writer.isWaitedFor()
  await writer.run('COMMIT')
  await removed
  expect(await fleetEntries()).toBe(before as number)
  expect(await own.rows(sql`SELECT FROM weir.rollups WHERE stream_id = ${id}`)).toEqual([])
  writer.end()
})

test('a stream of another kind takes its sums along', async () => {
  const { id } = await own.stream()
  await own.db.execute(sql`INSERT INTO weir.rollups (stream_id, minute, first_seq, last_seq, entries, polls, head_bytes)
    VALUES (${id}, ${minuteAt(0)}, 1, 1, 5, 5, 5)`)
  const polled = async () =>
    (
      await own.rows<{ n: number }>(
        sql`SELECT coalesce(sum(entries) FILTER (WHERE is_polled), 0)::int AS n FROM weir.fleet_rollups`,
      )
    )[0]?.n
  expect(await polled()).toBe(0)
  await own.db.execute(sql`UPDATE weir.streams SET kind = 'poll' WHERE id = ${id}`)
  expect(await polled()).toBe(5)
  await own.db.execute(sql`DELETE FROM weir.streams`)
  expect([await polled(), await fleetEntries()]).toEqual([0, 0])
})

test('sums that are updated or deleted change those of the fleet by the difference', async () => {
  const { id } = await own.stream()
  const session = await own.session()
  await session.run(INSERT, [id, [minuteAt(0), minuteAt(1)]])
  await own.db.execute(sql`UPDATE weir.rollups SET entries = entries + 4 WHERE minute = ${minuteAt(0)}`)
  expect(await fleetEntries()).toBe(6)
  await own.db.execute(sql`DELETE FROM weir.rollups WHERE minute = ${minuteAt(1)}`)
  expect(await fleetEntries()).toBe(5)
  session.end()
  await own.db.execute(sql`DELETE FROM weir.streams`)
})

const entryAt = (id: string, at: string) =>
  own.db.execute(sql`INSERT INTO weir.entries (stream_id, seq, at, epoch, kind, wire_bytes, body_bytes)
    VALUES (${id}, 1, ${at}::timestamptz, 1, 'event', 1, 1)`)
const DAY_MS = 86_400_000
/** A day that no other test touches. */
const day = (index: number) => dayOf(Date.UTC(2031, 0, 1) + index * DAY_MS)
const partitionsOf = async (of: string) =>
  (await listPartitions(own.db)).filter((each) => each.day === of).map(({ table }) => table)

test('partitions are made for today and two days ahead, and what is in the rest moves there', async () => {
  const id = Bun.randomUUIDv7()
  await entryAt(id, `${day(0)}T12:00:00Z`)
  expect(await makePartitions(own.db, Date.UTC(2031, 0, 1, 23, 59))).toEqual([])
  const all: Partitioned[] = ['bodies', 'entries', 'path_rollups', 'rollups']
  for (const [index, tables] of [all, all, all, []].entries())
    expect(await partitionsOf(day(index))).toEqual(tables)
  expect(await own.rows(sql`SELECT FROM weir.entries_20310101`)).toHaveLength(1)
})

test('whoever makes partitions waits for another who does, and then has nothing to do', async () => {
  const other = await own.session()
  await other.run('BEGIN')
  await other.run('SELECT pg_advisory_xact_lock(7743004)')
  const made = makePartitions(own.db, Date.UTC(2031, 5, 1))
  await other.isWaitedFor()
  await other.run('COMMIT')
  other.end()
  expect(await made).toEqual([])
})

test('a day is dropped with all its tables, unless it isn’t ready or somebody uses it', async () => {
  await makePartitions(own.db, Date.UTC(2032, 0, 1))
  const drop = (isReady?: () => Promise<boolean>) =>
    dropDay(own.db, ['entries', 'bodies'], '2032-01-01', isReady)
  expect(await drop(async () => false)).toBe('refused')
  const other = await own.session()
  await other.run('BEGIN')
  await other.run('LOCK TABLE weir.entries IN ROW EXCLUSIVE MODE')
  // Those who record don't wait long for it.
  expect(await drop()).toBe('busy')
  await other.run('ROLLBACK')
  other.end()
  expect(await partitionsOf('2032-01-01')).toContain('entries')
  expect(await drop()).toBe('dropped')
  expect(await partitionsOf('2032-01-01')).toEqual(['path_rollups', 'rollups'])
})

test('a write that a deadlock ended is tried ten times, and no other error is', async () => {
  let tries = 0
  const failing = (code: string) => async () => {
    tries++
    throw Object.assign(new Error('no'), { cause: { code } })
  }
  expect(againAfterDeadlock(failing('23505'))).rejects.toThrow('no')
  await Promise.resolve()
  expect(tries).toBe(1)
  tries = 0
  await againAfterDeadlock(failing('40P01')).catch(() => {})
  expect(tries).toBe(10)
})

test('a data directory stays locked until its server has ended', async () => {
  const dataDir = await newDataDir()
  const storage = await openStorage({ databaseUrl: undefined, dataDir })
  const lock = join(dataDir, 'lock.sqlite')
  expect(existsSync(lock)).toBe(true)
  expect(openStorage({ databaseUrl: undefined, dataDir })).rejects.toThrow('Another Weir is using')
  const closed = storage.close()
  expect(tryLock(lock)).toBeUndefined()
  await closed
  const release = tryLock(lock)
  expect(release).toBeFunction()
  release?.()
})
