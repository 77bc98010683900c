import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test'
import { sql } from 'drizzle-orm'
import { archiveDays, bases, fleetRollups, longRollups, marks, rollups } from '../../drizzle/schema.ts'
import { hashDocument } from '../../src/core/documents/document.ts'
import { keepBasesOfDay } from '../../src/retention/bases.ts'
import { holdBytes } from '../../src/retention/byte-cap.ts'
import { dropLogOfDay, logSize } from '../../src/retention/drop.ts'
import { readMarks, setMark } from '../../src/retention/marks.ts'
import { retain } from '../../src/retention/retain.ts'
import { rollUp } from '../../src/retention/roll-up.ts'
import { trimStream, trimStreams, unarchivedFrom } from '../../src/retention/trim.ts'
import { dayOf } from '../../src/storage/partitions.ts'
import type { Database } from '../../src/storage/storage.ts'
import { readLog } from '../../src/streams/log/logs.ts'
import type { Draft } from '../../src/streams/recording/entry.ts'
import { type OpenSetup, SETUPS } from '../support/setups.ts'
import { empty, HOUR_MS, type Kept, keep, NOON, seqsOf } from './support.ts'

const DAY_MS = 86_400_000
const MINUTE_MS = 60_000
const TODAY = dayOf(NOON)

let services: OpenSetup
let kept: Kept

beforeAll(async () => {
  services = await (SETUPS[0] as (typeof SETUPS)[number]).open()
  kept = await keep(services)
})
beforeEach(() => empty(kept))
afterAll(async () => {
  await kept.close()
  await services.close()
})

const seqs = async (id: string) =>
  seqsOf((await readLog(kept.storage.db, id, { limit: 500 })).items).sort((a, b) => a - b)
const sizeOf = async (day: string) =>
  (await logSize(kept.storage.db)).days.find((each) => each.day === day) as never
const version = (kind: 'snapshot' | 'patch', n: number): Partial<Draft> => ({
  ...{ kind, changed: true, hash: hashDocument({ n, text: 'x'.repeat(500) }) },
  data: JSON.stringify(
    kind === 'snapshot' ? { n, text: 'x'.repeat(500) } : [{ op: 'replace', path: '/n', value: n }],
  ),
})

/** The database, with something that happens before its next transaction or after a statement. */
function interrupted(db: Database, on: 'transaction' | 'execute', happens: () => Promise<unknown>): Database {
  let isDone = false
  return new Proxy(db, {
    get(target, name) {
      const value = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      const bound = value.bind(target)
      if (name !== on || isDone) return bound
      return async (...args: unknown[]) => {
        if (on === 'execute') {
          const result = await bound(...args)
          const { rows } = result as { rows: { hash?: string }[] }
          if (rows[0]?.hash === undefined || isDone) return result
          isDone = true
          await happens()
          return result
        }
        isDone = true
        await happens()
        return bound(...args)
      }
    },
  })
}

test('a day that gets entries while it is dropped stays, and so does one that isn’t archived any more', async () => {
  const run = await kept.begin(await kept.register())
  await kept.record(run, version('snapshot', 1), version('patch', 2))
  kept.now += DAY_MS
  const late = interrupted(kept.storage.db, 'transaction', () =>
    kept.record(run, { ...version('patch', 3), at: NOON }),
  )
  expect(await dropLogOfDay({ ...kept.deps, db: late }, await sizeOf(TODAY), 'age')).toBe('busy')
  let asked = 0
  const mayDrop = async () => ++asked === 1
  expect(await dropLogOfDay({ ...kept.deps, mayDrop }, await sizeOf(TODAY), 'age')).toBe('busy')
  expect(await sizeOf(TODAY)).toBeDefined()
  expect(await dropLogOfDay(kept.deps, await sizeOf(TODAY), 'age')).toBe('dropped')
})

test('nothing is trimmed that isn’t archived, and a failed day isn’t', async () => {
  const { db } = kept.storage
  const id = await kept.register()
  const run = await kept.begin(id)
  await kept.record(run, ...Array.from({ length: 5 }, () => ({})))
  await db.execute(sql`UPDATE weir.streams SET retention = '{"maxEntries": 2}'`)
  kept.now += HOUR_MS
  const mayDrop = async () => false
  expect(await trimStreams({ ...kept.deps, mayDrop })).toBe(0)
  const yesterday = NOON - 12 * HOUR_MS - DAY_MS
  await db
    .insert(longRollups)
    .values({ streamId: id, step: 'day', at: new Date(yesterday), firstSeq: 1, lastSeq: 1 })
  const day = dayOf(yesterday)
  await db.insert(archiveDays).values({ day, state: 'failed', startedAt: new Date(yesterday) })
  expect(await unarchivedFrom({ ...kept.deps, mayDrop })).toBe(yesterday)
  await db.update(archiveDays).set({ state: 'done' })
  expect(await unarchivedFrom({ ...kept.deps, mayDrop })).toBe(yesterday + DAY_MS)
  expect(await trimStreams(kept.deps)).toBe(3)
  expect(await seqs(id)).toEqual([4, 5])
})

test('a trim is about one stream, and keeps what its document needs', async () => {
  const [one, other] = [await kept.register(), await kept.register()]
  for (const id of [one, other])
    await kept.record(await kept.begin(id), version('snapshot', 1), version('patch', 2), version('patch', 3))
  await trimStream(kept.deps, one, 2)
  expect([await seqs(one), await seqs(other)]).toEqual([[3], [1, 2, 3]])
  const [base] = await kept.storage.db.select().from(bases)
  expect(base).toMatchObject({ streamId: one, seq: 2 })
})

test('an older base doesn’t replace a newer one, and every stream gets its own', async () => {
  const { db } = kept.storage
  const ids = await Promise.all(Array.from({ length: 51 }, () => kept.register()))
  for (const id of ids) await kept.record(await kept.begin(id), version('snapshot', 1), version('patch', 2))
  const [first] = [...ids].sort()
  const newer = { streamId: first as string, seq: 10, at: new Date(NOON), hash: 'newer', data: '{}' }
  const racing = interrupted(db, 'execute', () => db.insert(bases).values(newer))
  const seen = await keepBasesOfDay({ db: racing, warn: kept.deps.warn }, TODAY)
  expect(seen.size).toBe(51)
  const stored = await db.select().from(bases)
  expect(stored).toHaveLength(51)
  expect(stored.find(({ streamId }) => streamId === first)?.seq).toBe(10)
})

async function minutes(streamId: string, ...instants: number[]): Promise<void> {
  const rows = instants.map((at) => ({ streamId, minute: new Date(at), firstSeq: 1, lastSeq: 1, entries: 1 }))
  await kept.storage.db.insert(rollups).values(rows)
}
const rolledUp = async (step: 'hour' | 'day') =>
  (await kept.storage.db.select().from(longRollups).where(sql`step = ${step}`))
    .map(({ at, entries }) => [(at.getTime() - NOON) / HOUR_MS, entries])
    .sort((a, b) => (a[0] as number) - (b[0] as number))

test('an hour is rolled up five minutes after its end, each into its own day, and again for a day', async () => {
  const id = await kept.register()
  await minutes(id, NOON, NOON + 13 * HOUR_MS)
  kept.now = NOON + 14 * HOUR_MS + 4 * MINUTE_MS
  await rollUp(kept.deps)
  expect(await rolledUp('hour')).toEqual([[0, 1]])
  kept.now += MINUTE_MS
  await rollUp(kept.deps)
  expect(await rolledUp('hour')).toEqual([
    [0, 1],
    [13, 1],
  ])
  expect(await rolledUp('day')).toEqual([
    [-12, 1],
    [12, 1],
  ])
  // Came when the database was back.
  await minutes(id, NOON + MINUTE_MS)
  kept.now += HOUR_MS
  await rollUp(kept.deps)
  expect(await rolledUp('hour')).toEqual([
    [0, 2],
    [13, 1],
  ])
  expect(await rolledUp('day')).toEqual([
    [-12, 2],
    [12, 1],
  ])
})

test('a clock that was ahead delays no roll-up', async () => {
  const id = await kept.register()
  await setMark(kept.storage.db, 'rolled', new Date(NOON + 100 * DAY_MS))
  await minutes(id, NOON)
  kept.now = NOON + 2 * HOUR_MS
  await rollUp(kept.deps)
  expect(await rolledUp('hour')).toEqual([[0, 1]])
})

test('hours are kept for 400 days, of all streams together too; days stay', async () => {
  const { db } = kept.storage
  const id = await kept.register()
  const at = (days: number) => new Date(NOON - days * DAY_MS)
  const rows = [
    ['hour', 399],
    ['hour', 401],
    ['day', 401],
  ] as const
  const sums = { firstSeq: 1, lastSeq: 1, entries: 1 }
  await db
    .insert(longRollups)
    .values(rows.map(([step, days]) => ({ streamId: id, step, at: at(days), ...sums })))
  // The triggers have added them up.
  const fleet = { step: 'hour' as const, isPolled: true, part: 0 }
  await db
    .insert(fleetRollups)
    .values([399, 402].map((days) => ({ ...fleet, at: at(days) })))
    .onConflictDoNothing()
  await setMark(db, 'seen', new Date(NOON))
  await retain(kept.deps)
  const left = (list: { step: string; at: Date }[]) =>
    [...new Set(list.map((row) => `${row.step} ${(NOON - row.at.getTime()) / DAY_MS}`))].sort()
  expect(left(await db.select().from(longRollups))).toEqual(['day 401', 'hour 399'])
  expect(left((await db.select().from(fleetRollups)).filter(({ step }) => step === 'hour'))).toEqual([
    'hour 399',
  ])
})

test('a clock that jumps ahead drops nothing for an hour', async () => {
  const run = await kept.begin(await kept.register())
  await kept.record(run, {})
  await retain(kept.deps)
  kept.now += 30 * DAY_MS
  await retain(kept.deps)
  kept.now += HOUR_MS - 1
  await retain(kept.deps)
  expect(await sizeOf(TODAY)).toBeDefined()
  kept.now += 1
  await retain(kept.deps)
  expect(await sizeOf(TODAY)).toBeUndefined()
})

test('today is kept, however many entries it has; minutes are kept until they are hours', async () => {
  const id = await kept.register()
  await kept.record(await kept.begin(id), {}, {}, {})
  await setMark(kept.storage.db, 'seen', new Date(NOON))
  const bounds = { retentionDays: 5, minutesDays: 1, retentionMaxEntries: 1 }
  await retain({ ...kept.deps, bounds })
  expect(await seqs(id)).toEqual([1, 2, 3])
  kept.now += 4 * DAY_MS
  await setMark(kept.storage.db, 'seen', new Date(kept.now))
  await setMark(kept.storage.db, 'rolled', new Date(NOON))
  await retain({ ...kept.deps, bounds: { retentionDays: 5, minutesDays: 1 } })
  expect(await kept.storage.db.$count(rollups)).toBeGreaterThan(0)
})

test('the log is held below nine tenths of its limit; what isn’t archived stays, and that is said until it fits', async () => {
  const { db } = kept.storage
  const id = await kept.register()
  const run = await kept.begin(id)
  await kept.record(run, {})
  kept.now += DAY_MS
  await retain(kept.deps)
  await kept.record(run, {})
  const { totalBytes } = await logSize(db)
  const mayDrop = async () => false
  await holdBytes({ ...kept.deps, mayDrop }, 1)
  expect((await readMarks(db, ['blocked'])).has('blocked')).toBe(true)
  expect(await seqs(id)).toEqual([1, 2])
  await holdBytes({ ...kept.deps, mayDrop }, 10 * totalBytes)
  expect((await readMarks(db, ['blocked'])).has('blocked')).toBe(false)
  await holdBytes(kept.deps, totalBytes / 0.95)
  expect(await seqs(id)).toEqual([2])
  kept.now += 12 * HOUR_MS - MINUTE_MS
  await db.delete(marks)
  await holdBytes({ ...kept.deps, mayDrop }, 1)
  expect((await readMarks(db, ['blocked'])).get('blocked')?.detail).toMatchObject({ day: dayOf(kept.now) })
  expect(await seqs(id)).toEqual([2])
})
