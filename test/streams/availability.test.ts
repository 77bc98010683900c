import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eq } from 'drizzle-orm'
import { longRollups, rollups, spells, states, streams as streamTable } from '../../drizzle/schema.ts'
import type { SpellState } from '../../src/core/judging/spell.ts'
import { SilenceWatch } from '../../src/incidents/silence-watch.ts'
import { addSilence, changeSilence } from '../../src/incidents/silences.ts'
import { setMark } from '../../src/retention/marks.ts'
import { retain } from '../../src/retention/retain.ts'
import type { Storage } from '../../src/storage/storage.ts'
import type { Run, Stream } from '../../src/streams/ingest/run.ts'
import { runStore } from '../../src/streams/ingest/run-store.ts'
import { LargeDocuments } from '../../src/streams/large/documents.ts'
import { availabilityOf, availabilitySteps } from '../../src/streams/measures/availability.ts'
import { Recorder } from '../../src/streams/recording/recorder.ts'
import { turnSpell } from '../../src/streams/recording/spells.ts'
import { listStreams } from '../../src/streams/registry/listing.ts'
import { insertStreams, newStream } from '../../src/streams/registry/new-stream.ts'
import { refreshAvailability } from '../../src/streams/status/refresh-availability.ts'
import { testBus } from '../support/bus.ts'
import { openStorage } from '../support/data-dir.ts'
import { isSkipped, type OpenSetup, STORAGE_SETUPS } from '../support/setups.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
const EXPECTATION = { kind: 'sse', desired: 'running', intervalMs: 1, timeoutMs: 1, silenceMs: 1 } as const
/** Before everything in these tests. */
const CREATED = new Date(Date.UTC(2026, 0, 1))
const NOON = Date.UTC(2026, 5, 10, 12)

describe.each(STORAGE_SETUPS)('on $name', (setup) => {
  describe.skipIf(isSkipped(setup))('', () => {
    let services: OpenSetup
    let directory: string
    let storage: Storage

    beforeAll(async () => {
      services = await setup.open()
      directory = mkdtempSync(join(tmpdir(), 'weir-availability-'))
      storage = await openStorage({ databaseUrl: services.environment.DATABASE_URL, dataDir: directory })
    })

    afterAll(async () => {
      await storage.close()
      await services.close()
      rmSync(directory, { recursive: true, force: true })
    })

    const add = async (stream: Partial<Stream> = {}) => {
      const [added] = await insertStreams(storage.db, [
        newStream({ url: 'http://a.test/', kind: 'poll', createdAt: CREATED, ...stream }),
      ])
      return added as Stream
    }
    const checked = (stream: Stream, at: number, answered: number, unanswered: number) =>
      storage.db.insert(rollups).values({
        ...{ streamId: stream.id, minute: new Date(at), firstSeq: 1, lastSeq: 1, answered, unanswered },
      })
    const stood = (stream: Stream, from: number, to: number, state: SpellState, isSilenced = false) =>
      storage.db.insert(spells).values({
        ...{ streamId: stream.id, epoch: 1, from: new Date(from), to: new Date(to), state, isSilenced },
      })
    const open = (stream: Stream, from: number, writtenAt: number, state: SpellState) => {
      const evidence = { phase: 'open', phaseSince: 0, failures: 0, writtenAt }
      const spell = { from, state, isSilenced: false }
      return storage.db
        .update(states)
        .set({ evidence: { ...evidence, spell } })
        .where(eq(states.streamId, stream.id))
    }
    const lastHour = { from: new Date(NOON - HOUR_MS), to: new Date(NOON) }
    const sse = { kind: 'sse' } as const

    test('of a polled stream is the share of its checks that were answered', async () => {
      const stream = await add()
      await checked(stream, NOON - 61 * MINUTE_MS, 0, 99)
      for (let minute = 60; minute > 0; minute--) {
        const isUp = minute > 20 || minute <= 7
        await checked(stream, NOON - minute * MINUTE_MS, isUp ? 1 : 0, isUp ? 0 : 1)
      }
      const found = await availabilityOf(storage.db, { stream }, lastHour)
      expect(found).toEqual({
        ...{ share: 47 / 60, basis: 'checks', streams: 1, answered: 47, unanswered: 13 },
        ...{ upMs: null, downMs: null, unknownMs: null, observedFrom: new Date(NOON - HOUR_MS) },
      })
    })

    test('of an event stream is its share of the time that Weir watched, with the current spell', async () => {
      const stream = await add(sse)
      const at = (minute: number) => NOON - HOUR_MS + minute * MINUTE_MS
      await stood(stream, at(-30), at(10), 'up')
      await stood(stream, at(10), at(23), 'down')
      // Weir itself was away until minute 30; notifications were silenced from 40 to 50.
      await stood(stream, at(30), at(38), 'up')
      await stood(stream, at(38), at(40), 'silent')
      await stood(stream, at(40), at(50), 'down', true)
      await open(stream, at(50), at(55), 'up')
      const found = await availabilityOf(storage.db, { stream }, lastHour)
      const [up, down] = [10 + 8 + 5, 13 + 2]
      expect(found).toEqual({
        ...{ share: up / (up + down), basis: 'time', streams: 1, answered: null, unanswered: null },
        ...{ upMs: up * MINUTE_MS, downMs: down * MINUTE_MS, unknownMs: 22 * MINUTE_MS },
        observedFrom: new Date(at(0)),
      })
      const steps = await availabilitySteps(storage.db, { stream }, lastHour, 15 * MINUTE_MS)
      expect(
        steps.map(({ at: start, upMs, downMs, unknownMs }) => [
          (start.getTime() - at(0)) / MINUTE_MS,
          ...[upMs, downMs, unknownMs].map((ms) => (ms ?? 0) / MINUTE_MS),
        ]),
      ).toEqual([
        [0, 10, 5, 0],
        [15, 0, 8, 7],
        [30, 8, 2, 5],
        [45, 5, 0, 10],
      ])
    })

    test('is unknown without checks, and before the stream was registered', async () => {
      const [polled, connected] = [await add(), await add({ ...sse, createdAt: new Date(NOON - MINUTE_MS) })]
      expect(await availabilityOf(storage.db, { stream: polled }, lastHour)).toMatchObject({
        ...{ share: null, streams: 0, answered: 0, unanswered: 0 },
      })
      expect(await availabilityOf(storage.db, { stream: connected }, lastHour)).toMatchObject({
        ...{ share: null, streams: 0, upMs: 0, downMs: 0, unknownMs: MINUTE_MS },
      })
      expect(await availabilitySteps(storage.db, { stream: polled }, lastHour, MINUTE_MS)).toEqual([])
    })

    test('of many is the mean over the streams that are known, without twins and private ones', async () => {
      const tags = ['mean']
      const [often, rarely] = [await add({ tags }), await add({ tags })]
      const connected = await add({ ...sse, tags })
      const twin = await add({ ...sse, tags, twinOf: often.id })
      const mine = await add({ tags, proxyKey: 'mine', headers: { 'x-key': '1' } })
      await add({ tags })
      await checked(often, NOON - MINUTE_MS, 1_000, 0)
      await checked(rarely, NOON - MINUTE_MS, 1, 1)
      await stood(connected, NOON - 40 * MINUTE_MS, NOON - 30 * MINUTE_MS, 'up')
      await stood(connected, NOON - 30 * MINUTE_MS, NOON, 'down')
      await stood(twin, NOON - 30 * MINUTE_MS, NOON, 'down')
      await checked(mine, NOON - MINUTE_MS, 0, 1)
      const found = await availabilityOf(storage.db, { tag: 'mean' }, lastHour)
      expect(found).toMatchObject({
        basis: 'mean',
        streams: 3,
        answered: 1_001,
        unanswered: 1,
        unknownMs: null,
      })
      expect(found.share).toBeCloseTo((1 + 0.5 + 0.25) / 3, 10)
    })

    test('is read from hours and days once the minutes are dropped', async () => {
      const stream = await add()
      const day = Date.UTC(2026, 1, 1)
      for (const [step, at, answered, unanswered] of [
        ['day', day, 10, 10],
        ['hour', day, 10, 10],
        ['day', day + DAY_MS, 3, 1],
        ['hour', day + DAY_MS + 5 * HOUR_MS, 3, 1],
      ] as const) {
        const row = {
          streamId: stream.id,
          step,
          at: new Date(at),
          firstSeq: 1,
          lastSeq: 1,
          answered,
          unanswered,
        }
        await storage.db.insert(longRollups).values(row)
      }
      await setMark(storage.db, 'rolled', new Date(day + 10 * DAY_MS))
      await setMark(storage.db, 'minutes', new Date(day + 9 * DAY_MS))
      const window = { from: new Date(day), to: new Date(day + 3 * DAY_MS) }
      const found = await availabilityOf(storage.db, { stream }, window)
      const steps = await availabilitySteps(storage.db, { stream }, window, 12 * HOUR_MS)
      await setMark(storage.db, 'rolled', new Date(0))
      await setMark(storage.db, 'minutes', new Date(0))
      expect(found).toMatchObject({ answered: 13, unanswered: 11 })
      expect(steps.map(({ at, share }) => [at.getTime() - day, share])).toEqual([
        [0, 0.5],
        [DAY_MS, 0.75],
      ])
    })

    test('of the last day is written for lists, which sort by it with unknown ones last', async () => {
      const tags = ['sorted']
      const [bad, good, unknown, worse] = [
        await add({ tags }),
        await add({ tags }),
        await add({ tags }),
        await add({ tags }),
      ]
      const now = Date.now()
      const minute = Math.floor(now / MINUTE_MS) * MINUTE_MS
      await checked(bad, minute - 23 * HOUR_MS, 1, 1)
      await checked(good, minute, 9, 0)
      await checked(unknown, minute - 25 * HOUR_MS, 9, 0)
      await checked(worse, minute, 1, 2)
      await refreshAvailability({ db: storage.db, now: () => now })
      const kept = await storage.db
        .select({ id: states.streamId, availability: states.availability })
        .from(states)
        .innerJoin(streamTable, eq(streamTable.id, states.streamId))
      const of = ({ id }: Stream) => kept.find((row) => row.id === id)?.availability
      expect([bad, good, unknown, worse].map(of)).toEqual([0.5, 1, null, 0.333333])
      const listed = async (order?: 'asc' | 'desc') => {
        const page = await listStreams(
          storage.db,
          { sort: 'availability', order, tag: 'sorted', limit: 9 },
          now,
        )
        return page.items.map(({ id }) => id)
      }
      expect(await listed()).toEqual([worse, bad, good, unknown].map(({ id }) => id))
      expect(await listed('desc')).toEqual([good, bad, worse, unknown].map(({ id }) => id))
      await storage.db.delete(rollups).where(eq(rollups.streamId, good.id))
      await refreshAvailability({ db: storage.db, now: () => now })
      expect(await listed()).toEqual([worse, bad, good, unknown].map(({ id }) => id))
    })

    describe('of a run’s connection', () => {
      const runs = () => runStore(storage.db, 'tester', testBus(), new LargeDocuments())
      const begin = async (id: string) =>
        (await runs().begin({ streamId: id, attempt: 1, takeOver: true })) as Run
      const kept = async (id: string): Promise<(string | number | boolean)[][]> => {
        const rows = await storage.db
          .select()
          .from(spells)
          .where(eq(spells.streamId, id))
          .orderBy(spells.from)
        return rows.map(({ epoch, from, to, state, isSilenced }) => [
          ...[epoch, state, from.getTime(), to.getTime(), isSilenced],
        ])
      }
      const running = () => add({ ...sse, desired: 'running' })

      test('is stored with its evidence, and the next run closes what was left open', async () => {
        const { id } = await running()
        const recorder = new Recorder(storage.db, () => EXPECTATION, testBus())
        const first = await begin(id)
        const at = Date.now() - HOUR_MS
        turnSpell(first, 'up', at, false)
        turnSpell(first, 'up', at + 500, false)
        turnSpell(first, 'down', at + 1_000, false)
        turnSpell(first, 'down', at + 2_000, true)
        turnSpell(first, 'up', at + 3_000, false)
        const before = Date.now()
        await recorder.settle(first)
        const closed = [
          [first.epoch, 'up', at, at + 1_000, false],
          [first.epoch, 'down', at + 1_000, at + 2_000, false],
          [first.epoch, 'down', at + 2_000, at + 3_000, true],
        ]
        expect(await kept(id)).toEqual(closed)
        expect(first.spells).toEqual([])
        const second = await begin(id)
        expect(second.evidence.spell).toBeUndefined()
        await recorder.settle(second)
        const all = await kept(id)
        expect(all.slice(0, 3)).toEqual(closed)
        const [epoch, state, from, to] = all[3] ?? []
        expect([epoch, state, from]).toEqual([second.epoch, 'up', at + 3_000])
        expect(to as number).toBeGreaterThanOrEqual(before)
        // A third run finds nothing open: the second had no connection.
        const third = await begin(id)
        await recorder.settle(third)
        expect(await kept(id)).toEqual(all)
        await recorder.close()
      })

      test('isn’t written by a run that was replaced', async () => {
        const { id } = await running()
        const recorder = new Recorder(storage.db, () => EXPECTATION, testBus())
        const first = await begin(id)
        await begin(id)
        turnSpell(first, 'up', 1_000, false)
        turnSpell(first, 'down', 2_000, false)
        await recorder.settle(first)
        expect(first.fenced.signal.aborted).toBe(true)
        expect(await kept(id)).toEqual([])
        await recorder.close()
      })

      test('is kept for a hundred days', async () => {
        const stream = await add(sse)
        const now = Date.now()
        await stood(stream, now - 110 * DAY_MS, now - 101 * DAY_MS, 'up')
        await stood(stream, now - 101 * DAY_MS, now - 99 * DAY_MS, 'down')
        const bounds = { retentionDays: 30, minutesDays: 30 }
        await retain({ db: storage.db, now: () => now, warn: () => {}, bounds })
        expect((await kept(stream.id)).map(([, state]) => state)).toEqual(['down'])
      })
    })

    test('silences are known by the instant: of all, of a stream, of a tag, recurring, and past ones', async () => {
      const bus = testBus()
      const now = Date.UTC(2026, 5, 10, 12)
      const watch = new SilenceWatch({ db: storage.db, bus, now: () => now, warn: () => {} })
      await watch.ready()
      const stream = await add({ tags: ['shop'] })
      const other = await add()
      const silence = (more: object) => addSilence({ db: storage.db, bus }, { reason: 'Move', ...more }, now)
      const iso = (ms: number) => new Date(now + ms).toISOString()
      const covered = (ms: number) => [stream, other].map((each) => watch.covers(each, now + ms))
      expect(covered(0)).toEqual([false, false])
      const one = await silence({ streamId: other.id, endsAt: iso(HOUR_MS) })
      await silence({ tag: 'shop', startsAt: iso(2 * HOUR_MS), endsAt: iso(3 * HOUR_MS) })
      const schedule = { timeZone: 'UTC', days: ['thu'], from: '03:00', durationMinutes: 30 }
      await silence({ schedule })
      await watch.refresh()
      expect([0, HOUR_MS, 2.5 * HOUR_MS, 15.25 * HOUR_MS, 16 * HOUR_MS].map(covered)).toEqual([
        [false, true],
        [false, false],
        [true, false],
        [true, true],
        [false, false],
      ])
      // One that has ended still covers what happened during it.
      await changeSilence({ db: storage.db, bus }, one.id, { endsAt: iso(1_000) }, now)
      const later = new SilenceWatch({ db: storage.db, bus, now: () => now + HOUR_MS, warn: () => {} })
      await later.ready()
      expect(later.covers(other, now + 500)).toBe(true)
      expect(later.covers(other, now + 1_500)).toBe(false)
      watch.close()
      later.close()
    })
  })
})
