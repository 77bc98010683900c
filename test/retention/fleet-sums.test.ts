import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { eq, sql } from 'drizzle-orm'
import { streams } from '../../drizzle/schema.ts'
import { DAY_MS } from '../../src/core/time.ts'
import { rollUp } from '../../src/retention/roll-up.ts'
import { makePartitions } from '../../src/storage/partitions.ts'
import {
  type MeasureScope,
  polledStepsOf,
  polledSumsOf,
  stepsOf,
  sumsOf,
  type Window,
} from '../../src/streams/measures/measures.ts'
import { removeStream } from '../../src/streams/registry/remove.ts'
import { seeded } from '../core/seeded.ts'
import { isSkipped, type OpenSetup, STORAGE_SETUPS } from '../support/setups.ts'
import { HOUR_MS, type Kept, keep, NOON } from './support.ts'

const TAG = 'all'
/** Minutes that are recorded, from noon to noon. */
const MINUTES = 1_440
const INTERVALS_MS = [5_000, 20_000, 90_000, 60_000]

describe.each(STORAGE_SETUPS)('on $name', (setup) => {
  describe.skipIf(isSkipped(setup))('what all streams together come to', () => {
    let services: OpenSetup
    let kept: Kept
    let ids: string[]
    const next = seeded('fleet-sums.test.ts')

    beforeAll(async () => {
      services = await setup.open()
      kept = await keep(services)
      await makePartitions(kept.storage.db, NOON + DAY_MS)
      ids = await Promise.all(INTERVALS_MS.map(() => kept.register()))
      const { db } = kept.storage
      for (const [index, intervalMs] of INTERVALS_MS.entries()) {
        const kind = index === 3 ? 'sse' : 'poll'
        await db
          .update(streams)
          .set({ kind, intervalMs, tags: [TAG] })
          .where(eq(streams.id, ids[index] as string))
      }
      kept.now = NOON + DAY_MS
    })
    afterAll(async () => {
      await kept.close()
      await services.close()
    })

    /** As the recorder adds a stream's sums to those of its minutes. */
    async function add(id: string, minutes: number): Promise<void> {
      const some = () => Math.floor(next() * 1_000)
      const rows = Array.from({ length: minutes }, () => ({
        stream_id: id,
        minute: new Date(NOON + Math.floor(next() * MINUTES) * 60_000).toISOString(),
        errors: next() < 0.1 ? 1 : 0,
        polls: some() % 4,
        // Some were recorded before heads were counted.
        head_bytes: Math.max(0, some() - 300),
        ...Object.fromEntries(
          ['entries', 'events', 'changed', 'wire_bytes', 'plain_bytes'].map((name) => [name, 1 + some()]),
        ),
      }))
      const once = new Map(rows.map((row) => [row.minute, row]))
      const names = Object.keys(rows[0] as object).slice(2)
      const columns = sql.raw(names.join(', '))
      const added = sql.raw(names.map((name) => `${name} = rollup.${name} + excluded.${name}`).join(', '))
      await kept.storage.db.execute(sql`
        INSERT INTO weir.rollups AS rollup (stream_id, minute, first_seq, last_seq, ${columns})
        SELECT stream_id, minute, 1, 1, ${columns}
        FROM json_populate_recordset(NULL::weir.rollups, ${JSON.stringify([...once.values()])}::json)
        ON CONFLICT (stream_id, minute) DO UPDATE SET ${added}`)
    }

    /** The fleet's own sums, and the same from those of its streams. */
    async function expectSame(): Promise<void> {
      const windows: Window[] = [
        { from: new Date(NOON - DAY_MS), to: new Date(NOON + 2 * DAY_MS) },
        { from: new Date(NOON + 100_000), to: new Date(NOON + 7 * HOUR_MS + 300_000) },
      ]
      const told = (scope: MeasureScope) =>
        Promise.all(
          windows.flatMap((window) => [
            sumsOf(kept.storage.db, scope, window),
            polledSumsOf(kept.storage.db, scope, window),
            stepsOf(kept.storage.db, scope, { ...window, step: 'hour' }),
            polledStepsOf(kept.storage.db, scope, { ...window, step: 'day' }),
          ]),
        )
      const { length, ...fleet } = await told('fleet')
      expect(fleet).toEqual({ ...(await told({ tag: TAG })) })
      expect(length).toBeGreaterThan(0)
    }

    async function polled(): Promise<number> {
      const all = { from: new Date(NOON - DAY_MS), to: new Date(NOON + 2 * DAY_MS) }
      return (await polledSumsOf(kept.storage.db, 'fleet', all)).polls
    }

    test('includes what is recorded, in new and existing minutes', async () => {
      for (const id of ids) await add(id, 400)
      await expectSame()
      for (const id of ids) await add(id, 400)
      await expectSame()
      expect(await polled()).toBeGreaterThan(0)
    })

    test('is the same by hours and days, however often they are rolled up', async () => {
      await rollUp(kept.deps)
      await expectSame()
      for (const id of ids) await add(id, 50)
      kept.now += HOUR_MS
      await rollUp(kept.deps)
      await expectSame()
    })

    test('uses the current kind of a stream', async () => {
      const before = await polled()
      await kept.storage.db
        .update(streams)
        .set({ kind: 'sse' })
        .where(eq(streams.id, ids[0] as string))
      expect(await polled()).toBeLessThan(before)
      await expectSame()
    })

    test('forgets a stream that is removed', async () => {
      await removeStream(kept.storage.db, ids[1] as string)
      await expectSame()
      for (const id of ids) await removeStream(kept.storage.db, id)
      expect(await polled()).toBe(0)
      const day = { from: new Date(NOON), to: new Date(NOON + DAY_MS), step: 'hour' } as const
      expect(await stepsOf(kept.storage.db, 'fleet', day)).toEqual([])
    })
  })
})
