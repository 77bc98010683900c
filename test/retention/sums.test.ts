import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { sql } from 'drizzle-orm'
import { DAY_MS } from '../../src/core/time.ts'
import { setMark } from '../../src/retention/marks.ts'
import { retain } from '../../src/retention/retain.ts'
import { rollUp } from '../../src/retention/roll-up.ts'
import { makePartitions } from '../../src/storage/partitions.ts'
import { readLog } from '../../src/streams/log/logs.ts'
import {
  hourOfWeek,
  lastChange,
  type MeasureScope,
  polledStepsOf,
  polledSumsOf,
  stepsOf,
  sumsOf,
  type Window,
} from '../../src/streams/measures/measures.ts'
import { SUMS } from '../../src/streams/measures/rollup-delta.ts'
import { partsOf } from '../../src/streams/measures/rollup-source.ts'
import { readSavings } from '../../src/streams/measures/savings.ts'
import { seeded } from '../core/seeded.ts'
import { isSkipped, type OpenSetup, STORAGE_SETUPS } from '../support/setups.ts'
import { HOUR_MS, type Kept, keep, NOON } from './support.ts'

/** Days that are recorded before the tests. */
const DAYS = 9

describe.each(STORAGE_SETUPS)('on $name', (setup) => {
  describe.skipIf(isSkipped(setup))('', () => {
    let services: OpenSetup
    let kept: Kept
    let ids: string[]

    beforeAll(async () => {
      services = await setup.open()
      kept = await keep(services, { retentionDays: 90, minutesDays: 3 })
      for (let day = -1; day <= DAYS; day++) await makePartitions(kept.storage.db, NOON + day * DAY_MS)
      ids = await Promise.all([1, 2, 3].map(() => kept.register()))
      const next = seeded('sums.test.ts')
      for (const id of ids) await fill(id, next)
      kept.now = NOON + DAYS * DAY_MS
    })
    afterAll(async () => {
      await kept.close()
      await services.close()
    })

    /** A row a minute, as a stream that is polled each minute has them; some minutes are left out. */
    async function fill(id: string, next: () => number): Promise<void> {
      const rows: Record<string, unknown>[] = []
      for (let minute = 0; minute < DAYS * 1_440; minute += next() < 0.2 ? 7 : 1) {
        const some = () => Math.floor(next() * 1_000)
        rows.push({
          ...Object.fromEntries(SUMS.map((name) => [name, some()])),
          stream_id: id,
          minute: new Date(NOON + minute * 60_000).toISOString(),
          first_seq: minute * 2 + 1,
          last_seq: minute * 2 + 2,
          entries: 2,
          events: some(),
          polls: 1 + (some() % 3),
          errors: next() < 0.05 ? 1 : 0,
          compared: some(),
          changed: next() < 0.9 ? 0 : some(),
          not_modified: some(),
          wire_bytes: some(),
          body_bytes: some(),
          head_bytes: 1 + some(),
          plain_bytes: some(),
          gzip_bytes: some(),
          conditional_bytes: some(),
          patch_bytes: some(),
          frame_bytes: some(),
          deflated_bytes: some(),
          latencies: '',
        })
      }
      await kept.storage.db.execute(sql`INSERT INTO weir.rollups
        SELECT * FROM json_populate_recordset(NULL::weir.rollups, ${JSON.stringify(rows)}::json)`)
    }

    const WINDOWS: Record<string, Window> = {
      all: { from: new Date(NOON - DAY_MS), to: new Date(NOON + DAYS * DAY_MS) },
      'whole hours': { from: new Date(NOON + 5 * HOUR_MS), to: new Date(NOON + 40 * HOUR_MS) },
      'odd minutes': {
        from: new Date(NOON + 5 * HOUR_MS + 123_456),
        to: new Date(NOON + 75 * HOUR_MS + 654_321),
      },
      'within an hour': { from: new Date(NOON + 600_000), to: new Date(NOON + 1_200_000) },
      recent: { from: new Date(NOON + (DAYS - 1) * DAY_MS + 60_000), to: new Date(NOON + DAYS * DAY_MS) },
    }
    const scopes = (): MeasureScope[] => ['fleet', { streamId: ids[1] as string }]

    async function everything(window: Window) {
      const { db } = kept.storage
      const told: unknown[] = []
      for (const scope of scopes()) {
        told.push(await sumsOf(db, scope, window), await polledSumsOf(db, scope, window))
        for (const step of ['hour', 'day'] as const) {
          told.push(
            await stepsOf(db, scope, { ...window, step }),
            await polledStepsOf(db, scope, { ...window, step }),
          )
        }
        told.push(await readSavings(db, scope, window), await hourOfWeek(db, scope, window))
      }
      return told
    }

    test('hours and days equal the minutes, and still do once those are dropped', async () => {
      const { db } = kept.storage
      const before = new Map<string, unknown[]>()
      for (const [name, window] of Object.entries(WINDOWS)) before.set(name, await everything(window))
      const changed = await lastChange(db, 'fleet')
      await rollUp(kept.deps)
      const rolled = await kept.rows<{ n: number }>(
        sql`SELECT count(*)::int AS n FROM weir.long_rollups WHERE step = 'day'`,
      )
      expect(rolled[0]?.n).toBe(3 * (DAYS + 1))
      for (const [name, window] of Object.entries(WINDOWS))
        expect(await everything(window)).toEqual(before.get(name) as unknown[])
      expect(await lastChange(db, 'fleet')).toEqual(changed)
      // Made again, it counts nothing twice.
      await setMark(db, 'rolled', new Date(NOON))
      await rollUp(kept.deps)
      expect(await everything(WINDOWS.all as Window)).toEqual(before.get('all') as unknown[])

      const firstMinute = async () => {
        const isKept = sql`minute >= ${new Date(Date.UTC(2026, 2, 16)).toISOString()}::timestamptz`
        const [row] = await kept.rows<{ first: string; firstKept: string }>(
          sql`SELECT min(minute) AS first, min(minute) FILTER (WHERE ${isKept}) AS "firstKept" FROM weir.rollups`,
        )
        return row
      }
      const untouched = await firstMinute()
      expect(untouched?.first).not.toEqual(untouched?.firstKept)
      await retain(kept.deps)
      expect((await firstMinute())?.first).toEqual(untouched?.firstKept)
      for (const name of ['all', 'whole hours', 'recent']) {
        expect(await everything(WINDOWS[name] as Window)).toEqual(before.get(name) as unknown[])
      }
      expect(await lastChange(db, 'fleet')).toEqual(changed)
      // Of hours whose minutes are gone, the whole ones that the window lies in count.
      const { from, to } = WINDOWS['odd minutes'] as Window
      const around = {
        from: new Date(Math.floor(from.getTime() / HOUR_MS) * HOUR_MS),
        to: new Date(Math.ceil(to.getTime() / HOUR_MS) * HOUR_MS),
      }
      expect(await sumsOf(db, 'fleet', { from, to })).toEqual(await sumsOf(db, 'fleet', around))
    })

    test('entries are found by time once its minutes are dropped', async () => {
      const run = await kept.begin(ids[0] as string)
      await kept.storage.db.execute(sql`DELETE FROM weir.long_rollups WHERE stream_id = ${ids[0]}::uuid`)
      await kept.storage.db.execute(sql`DELETE FROM weir.rollups WHERE stream_id = ${ids[0]}::uuid`)
      const at = NOON + 2 * HOUR_MS
      await kept.record(run, { at: at - HOUR_MS }, { at }, { at: at + 60_000 }, { at: at + HOUR_MS })
      const query = { from: new Date(at), to: new Date(at + HOUR_MS), limit: 9 }
      const seqs = async () =>
        (await readLog(kept.storage.db, run.stream.id, query)).items.map(({ seq }) => seq)
      expect(await seqs()).toEqual([2, 3])
      await kept.storage.db.execute(sql`INSERT INTO weir.long_rollups (stream_id, step, at, first_seq, last_seq)
        SELECT stream_id, 'hour', date_trunc('hour', minute, 'UTC'), min(first_seq), max(last_seq) FROM weir.rollups
        WHERE stream_id = ${run.stream.id}::uuid GROUP BY 1, 3`)
      await kept.storage.db.execute(sql`DELETE FROM weir.rollups WHERE stream_id = ${run.stream.id}::uuid`)
      expect(await seqs()).toEqual([2, 3])
    })
  })
})

test('a window is covered by days, hours and minutes without overlap', () => {
  const next = seeded('sums.test.ts')
  for (let round = 0; round < 2_000; round++) {
    const from = Math.floor(next() * 10 * DAY_MS)
    const to = from + 60_000 + Math.floor(next() * 6 * DAY_MS)
    const rolled = Math.floor(next() * 400) * HOUR_MS
    const minutes = Math.min(Math.floor(next() * 12) * DAY_MS, Math.floor(rolled / DAY_MS) * DAY_MS)
    for (const step of [undefined, 'minute', 'hour', 'day'] as const) {
      const parts = partsOf(from, to, { rolled, minutes }, step)
      const ranges = [...parts.minutes, ...parts.hours, ...parts.days].sort((a, b) => a[0] - b[0])
      for (const [index, [start, end]] of ranges.entries()) {
        expect(end).toBeGreaterThan(start)
        if (index > 0) expect(start).toBe(ranges[index - 1]?.[1] as number)
      }
      expect(ranges[0]?.[0] as number).toBeLessThanOrEqual(from)
      expect(ranges.at(-1)?.[1] as number).toBeGreaterThanOrEqual(to)
      for (const [start] of parts.minutes) expect(start).toBeGreaterThanOrEqual(minutes)
      for (const [, end] of [...parts.hours, ...parts.days]) expect(end).toBeLessThanOrEqual(rolled)
      if (step === 'minute') expect(parts.hours.every(([, end]) => end <= minutes)).toBe(true)
    }
  }
})
