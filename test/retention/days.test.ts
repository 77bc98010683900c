import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { sql } from 'drizzle-orm'
import { DAY_MS } from '../../src/core/time.ts'
import { logSize } from '../../src/retention/drop.ts'
import { storageReport } from '../../src/retention/report.ts'
import { retain } from '../../src/retention/retain.ts'
import { dayOf, listPartitions, makePartitions } from '../../src/storage/partitions.ts'
import { firstSeq, readLog, readWholeLog } from '../../src/streams/log/logs.ts'
import { isSkipped, type OpenSetup, STORAGE_SETUPS } from '../support/setups.ts'
import { HOUR_MS, type Kept, keep, NOON, seqsOf } from './support.ts'

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index)

describe.each(STORAGE_SETUPS)('on $name', (setup) => {
  describe.skipIf(isSkipped(setup))('', () => {
    let services: OpenSetup
    let kept: Kept

    beforeAll(async () => {
      services = await setup.open()
    })
    afterEach(() => kept.close())
    afterAll(() => services.close())

    const days = async () => (await logSize(kept.storage.db)).days.map(({ day }) => day)
    const whole = async (id: string) => {
      const seqs: number[] = []
      for await (const page of readWholeLog(kept.storage.db, id, {})) seqs.push(...seqsOf(page))
      return seqs
    }

    test('days beyond the age are dropped with their bodies; today and younger ones stay', async () => {
      kept = await keep(services)
      const run = await kept.begin(await kept.register())
      for (let day = 0; day < 8; day++) {
        await kept.record(run, {}, { data: `${day}`.repeat(3_000) })
        await kept.pass(DAY_MS)
      }
      expect((await days()).filter((day) => day <= dayOf(kept.now))).toEqual([
        '2026-03-13',
        '2026-03-14',
        '2026-03-15',
        '2026-03-16',
        '2026-03-17',
        '2026-03-18',
      ])
      expect(await whole(run.stream.id)).toEqual(range(7, 16))
      const stored = await kept.rows<{ n: number }>(sql`SELECT count(*)::int AS n FROM weir.bodies`)
      expect(stored[0]?.n).toBe(5)
      const report = await storageReport(kept.deps)
      expect(report.lastDrop).toMatchObject({ day: '2026-03-12', reason: 'age' })
      expect(report.days.map(({ day, entries }) => [day, entries]).slice(0, 2)).toEqual([
        ['2026-03-18', 0],
        ['2026-03-17', 2],
      ])
      expect(kept.warnings).toEqual([])
    })

    test('everything recorded while days are dropped stays, without a hole', async () => {
      kept = await keep(services)
      const ids = await Promise.all(Array.from({ length: 4 }, () => kept.register()))
      const runs = await Promise.all(ids.map((id) => kept.begin(id)))
      for (let day = 0; day < 4; day++) {
        for (const run of runs) await kept.record(run, {}, {})
        await kept.pass(DAY_MS)
      }
      kept.now += 6 * DAY_MS
      await makePartitions(kept.storage.db, kept.now)
      let dropping = true
      const recording = runs.map(async (run) => {
        while (dropping) await kept.record(run, {}, { data: 'y'.repeat(3_000) })
      })
      await kept.pass(0)
      await kept.pass(HOUR_MS)
      await kept.pass(0)
      dropping = false
      await Promise.all(recording)
      expect((await days())[0]).toBe(dayOf(kept.now - 5 * DAY_MS))
      for (const run of runs) expect(await whole(run.stream.id)).toEqual(range(9, run.checkpoint.seq))
      expect(kept.warnings).toEqual([])
    })

    test('a global count drops the oldest days until it fits, but not today', async () => {
      kept = await keep(services, { retentionDays: 90, retentionMaxEntries: 7 })
      const run = await kept.begin(await kept.register())
      for (let day = 0; day < 3; day++) {
        await kept.record(run, {}, {}, {})
        if (day < 2) await kept.pass(DAY_MS)
      }
      await kept.pass(0)
      expect(await whole(run.stream.id)).toEqual(range(4, 9))
      await kept.record(run, ...Array.from({ length: 9 }, () => ({})))
      await kept.pass(0)
      expect(await whole(run.stream.id)).toEqual(range(7, 18))
    })

    test('nothing is dropped before it is archived: at the limit recording continues, with a warning', async () => {
      kept = await keep(services, { retentionDays: 1, retentionMaxBytes: 1 })
      const safe = new Set<string>()
      kept.deps.mayDrop = async (_, day) => safe.has(day)
      const run = await kept.begin(await kept.register())
      await kept.record(run, {})
      await kept.pass(3 * DAY_MS)
      await kept.record(run, {})
      expect(await whole(run.stream.id)).toEqual([1, 2])
      expect(await storageReport(kept.deps)).toMatchObject({
        state: 'over',
        blocked: { reason: 'not_archived', day: '2026-03-10' },
        lastDrop: null,
      })
      expect(kept.warnings.length).toBe(1)
      for (let day = 10; day < 13; day++) safe.add(`2026-03-${day}`)
      await kept.pass(0)
      expect(await whole(run.stream.id)).toEqual([2])
      // Today alone is over the cap now, and isn't archived.
      expect((await storageReport(kept.deps)).blocked?.day).toBe('2026-03-13')
    })

    test('entries with a wrong time are kept as long as their neighbors, and recording continues', async () => {
      kept = await keep(services)
      const run = await kept.begin(await kept.register())
      await kept.record(run, {})
      await kept.record(run, { at: Date.UTC(1970, 0, 1) }, { at: Date.UTC(2090, 0, 1) })
      await kept.record(run, { at: NOON - 3 * DAY_MS }, {})
      await kept.pass(DAY_MS)
      await kept.record(run, {})
      expect(await whole(run.stream.id)).toEqual(range(1, 6))
      // Ahead by a year for a moment: nothing has gone by age when it is right again.
      kept.now += 365 * DAY_MS
      await retain(kept.deps)
      kept.now -= 365 * DAY_MS - HOUR_MS
      await retain(kept.deps)
      expect(await whole(run.stream.id)).toEqual(range(1, 6))
      await kept.pass(5 * DAY_MS)
      await kept.pass(0)
      expect(await whole(run.stream.id)).toEqual([6])
      expect(await firstSeq(kept.storage.db, run.stream.id)).toBe(6)
    })

    test('an old day with new entries of a slow clock stays until earlier entries are dropped', async () => {
      kept = await keep(services, { retentionDays: 2 })
      const run = await kept.begin(await kept.register())
      await kept.record(run, {})
      await kept.pass(DAY_MS)
      await kept.record(run, {}, { at: NOON })
      await kept.pass(DAY_MS)
      await kept.record(run, {})
      await kept.pass(DAY_MS)
      expect(await whole(run.stream.id)).toEqual([1, 2, 3, 4])
      await kept.pass(DAY_MS)
      await kept.pass(0)
      expect(await whole(run.stream.id)).toEqual([4])
    })

    test('a day whose partition was missing gets its rows back, whatever number of processes creates it', async () => {
      kept = await keep(services)
      const { db } = kept.storage
      const run = await kept.begin(await kept.register())
      const at = NOON + 20 * DAY_MS
      await kept.record(run, { at, data: 'z'.repeat(3_000) }, { at, kind: 'error' })
      const where = () =>
        kept.rows<{ name: string }>(sql`SELECT tableoid::regclass::text AS name FROM weir.entries`)
      expect((await where()).map(({ name }) => name)).toEqual(['weir.entries_rest', 'weir.entries_rest'])
      const made = await Promise.all([1, 2, 3].map(() => makePartitions(db, at)))
      expect(made).toEqual([[], [], []])
      expect((await where()).map(({ name }) => name)).toEqual([
        'weir.entries_20260330',
        'weir.entries_20260330',
      ])
      const partitions = await listPartitions(db)
      expect(partitions.filter(({ day }) => day === '2026-03-30').map(({ table }) => table)).toEqual([
        'bodies',
        'entries',
        'path_rollups',
        'rollups',
      ])
      await kept.record(run, { at })
      const { items } = await readLog(db, run.stream.id, { limit: 5 })
      expect(items.map(({ data }) => data?.length)).toEqual([3_000, 1, 1])
    })
  })
})
