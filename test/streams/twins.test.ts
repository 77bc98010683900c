import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eq } from 'drizzle-orm'
import { rollups, streams as table } from '../../drizzle/schema.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { Streams } from '../../src/streams/registry/streams.ts'
import { twinReport } from '../../src/streams/twins/twin.ts'
import {
  measuredSaving,
  savedPairs,
  sortPairs,
  twinCandidates,
  twinPairs,
  twinSteps,
} from '../../src/streams/twins/twins.ts'
import { testBus } from '../support/bus.ts'
import { openStorage } from '../support/data-dir.ts'
import { isSkipped, type OpenSetup, STORAGE_SETUPS } from '../support/setups.ts'

const MINUTE_MS = 60_000
/** When the twins of these tests were made: in the middle of a minute. */
const MADE_MS = Date.UTC(2026, 0, 5, 12, 30, 20)
const CONTROL = { runLater: async () => {} }

describe.each(STORAGE_SETUPS)('on $name', (setup) => {
  describe.skipIf(isSkipped(setup))('', () => {
    let services: OpenSetup
    let directory: string
    let storage: Storage
    let streams: Streams

    beforeAll(async () => {
      services = await setup.open()
      directory = mkdtempSync(join(tmpdir(), 'weir-twins-'))
      storage = await openStorage({ databaseUrl: services.environment.DATABASE_URL, dataDir: directory })
      const limits = { requestTimeoutMs: 1_000, maxBodyBytes: 1_000 }
      streams = new Streams({ db: storage.db, control: CONTROL, bus: testBus(), limits })
    })

    afterAll(async () => {
      await storage.close()
      await services.close()
      rmSync(directory, { recursive: true, force: true })
    })

    const register = (name: string, more: object = {}) =>
      streams.register({ url: `http://a.test/${name}`, name, kind: 'poll', ...more })

    async function pair(name: string): Promise<{ id: string; twin: string }> {
      const { id } = await register(name)
      const twin = await streams.addTwin(id)
      await storage.db
        .update(table)
        .set({ createdAt: new Date(MADE_MS) })
        .where(eq(table.id, twin.id))
      return { id, twin: twin.id }
    }

    const record = (streamId: string, minute: number, sums: Partial<typeof rollups.$inferInsert>) =>
      storage.db.insert(rollups).values({
        ...{ streamId, firstSeq: 1, lastSeq: 1, minute: new Date(MADE_MS - 20_000 + minute * MINUTE_MS) },
        ...sums,
      })

    const window = { from: new Date(MADE_MS - 3_600_000), to: new Date(MADE_MS + 3_600_000) }
    const polled = {
      polls: 10,
      changed: 2,
      plainBytes: 5_000,
      gzipBytes: 2_000,
      conditionalBytes: 800,
      headBytes: 100,
      wireBytes: 900,
    }

    test('each way is added up from the creation of the twin: earlier polls don’t count', async () => {
      const one = await pair('one')
      await record(one.id, -1, { ...polled, plainBytes: 1_000_000, conditionalBytes: 1_000_000 })
      await record(one.id, 0, polled)
      await record(one.id, 3, polled)
      await record(one.twin, 0, { polls: 1, headBytes: 50, wireBytes: 150 })
      await record(one.twin, 3, { wireBytes: 70 })
      const { pairs, isCut } = await twinPairs(storage.db, window)
      const found = pairs.find(({ id }) => id === one.id) ?? never()
      expect(isCut).toBe(false)
      expect(found).toMatchObject({
        ...{ streamingId: one.twin, plainBytes: 10_200, gzipBytes: 4_200, conditionalBytes: 1_800 },
        ...{ polledBytes: 2_000, streamedBytes: 270, polls: 20, changes: 4 },
      })
      expect(measuredSaving(found)).toBeCloseTo(1 - 270 / 1_800, 10)
      const report = await twinReport(storage.db, one.id, window)
      expect([report?.polling.totalBytes, report?.streaming.totalBytes]).toEqual([2_000, 270])
      const steps = await twinSteps(storage.db, pairs, window, { step: 'minute', pointMs: 2 * MINUTE_MS })
      const mine = steps.filter(({ id }) => id === one.id)
      expect(mine.map(({ sums }) => sums.streamedBytes)).toEqual([200, 70])
      expect(mine.map(({ at }) => at)).toEqual([MADE_MS - 20_000, MADE_MS - 20_000 + 2 * MINUTE_MS])
    })

    test('a pair without polls comes last in either order', async () => {
      const [good, bad, none] = [await pair('good'), await pair('bad'), await pair('none')]
      await record(good.id, 0, polled)
      await record(good.twin, 0, { wireBytes: 9 })
      await record(bad.id, 0, { ...polled, deflatedBytes: 700 })
      await record(bad.twin, 0, { wireBytes: 9_000 })
      const ids = [good.id, bad.id, none.id]
      const { pairs } = await twinPairs(storage.db, window)
      const ours = await savedPairs(
        storage.db,
        pairs.filter(({ id }) => ids.includes(id)),
        window,
      )
      expect(sortPairs(ours, 'measured', 'desc').map(({ id }) => id)).toEqual(ids)
      expect(sortPairs(ours, 'measured', 'asc').map(({ id }) => id)).toEqual([bad.id, good.id, none.id])
      expect(sortPairs(ours, 'saved', 'desc').map(({ id }) => id)).toEqual(ids)
      expect(sortPairs(ours, 'saved', 'asc').map(({ id }) => id)).toEqual([bad.id, good.id, none.id])
      expect(sortPairs(ours, 'streamed', 'desc')[0]?.id).toBe(bad.id)
      expect(sortPairs(ours, 'name', 'asc').map(({ name }) => name)).toEqual(['bad', 'good', 'none'])
    })

    test('a stream has at most one twin, and only if there is something to compare', async () => {
      const { id, twin } = await pair('only')
      const made = await streams.get(twin)
      expect(made).toMatchObject({ twinOf: id, kind: 'sse', url: 'http://a.test/only', desired: 'running' })
      const refused = async (streamId: string) => {
        const error = await streams.addTwin(streamId).catch((error) => error)
        return error.code as string
      }
      expect(await refused(id)).toBe('conflict')
      expect(await refused(twin)).toBe('conflict')
      expect(await refused((await register('posted', { method: 'POST' })).id)).toBe('invalid_field')
      expect(await refused((await register('events', { kind: 'sse' })).id)).toBe('invalid_field')
      const both = await register('raced')
      const twice = await Promise.allSettled([streams.addTwin(both.id), streams.addTwin(both.id)])
      expect(twice.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    })

    test('the stream with the most redundant polling is offered a twin first', async () => {
      const [stale, fresh, taken] = [await register('stale'), await register('fresh'), await pair('taken')]
      const stopped = await register('stopped', { start: false })
      for (const { id } of [stale, fresh, taken, stopped]) await record(id, 0, polled)
      await record(stale.id, 1, { ...polled, patchBytes: 10 })
      await record(fresh.id, 1, { ...polled, patchBytes: 5_000 })
      const offered = await twinCandidates(storage.db, MADE_MS + MINUTE_MS, 50)
      const ids = offered.map(({ id }) => id)
      expect(ids.slice(0, 2)).toEqual([stale.id, fresh.id])
      expect(ids).not.toContain(taken.id)
      expect(ids).not.toContain(taken.twin)
      expect(ids).not.toContain(stopped.id)
      // Registered less than a minute before: what is known of them is a minute.
      expect(offered[0]).toMatchObject({ bytesAnHour: 600_000, newBytesAnHour: 600 })
    })
  })
})

function never(): never {
  throw new Error('There is such a pair')
}
