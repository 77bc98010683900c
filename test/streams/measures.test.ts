import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Elysia } from 'elysia'
import { fanouts, pathRollups, rollups } from '../../drizzle/schema.ts'
import { requestParts } from '../../src/routes/http/part.ts'
import { measureRoutes } from '../../src/routes/streams/measures.ts'
import type { Storage } from '../../src/storage/storage.ts'
import {
  fanoutSums,
  hourOfWeek,
  lastChange,
  type MeasureScope,
  polledStepsOf,
  polledSumsOf,
  sumsOf,
  topPaths,
  type Window,
} from '../../src/streams/measures/measures.ts'
import { readSavings } from '../../src/streams/measures/savings.ts'
import { Streams } from '../../src/streams/registry/streams.ts'
import { testBus } from '../support/bus.ts'
import { openStorage } from '../support/data-dir.ts'
import { isSkipped, type OpenSetup, STORAGE_SETUPS } from '../support/setups.ts'

const MINUTE_MS = 60_000
const LIMITS = { requestTimeoutMs: 1_000, maxBodyBytes: 1_000 }
/** A Monday. */
const FIRST_DAY_MS = Date.UTC(2026, 0, 5)

describe.each(STORAGE_SETUPS)('on $name', (setup) => {
  describe.skipIf(isSkipped(setup))('', () => {
    let services: OpenSetup
    let directory: string
    let storage: Storage
    let streams: Streams
    /** Every test has a day of its own: the fleet of one is not the fleet of another. */
    let day = 0

    beforeAll(async () => {
      services = await setup.open()
      directory = mkdtempSync(join(tmpdir(), 'weir-measures-'))
      storage = await openStorage({ databaseUrl: services.environment.DATABASE_URL, dataDir: directory })
      const control = { runLater: async () => {} }
      streams = new Streams({ db: storage.db, control, bus: testBus(), limits: LIMITS })
    })

    afterAll(async () => {
      await storage.close()
      await services.close()
      rmSync(directory, { recursive: true, force: true })
    })

    const register = async (kind: 'poll' | 'sse', intervalMs = 60_000, tags: string[] = []) => {
      const { id } = await streams.register({ url: 'http://a.test/', kind, intervalMs, tags, start: false })
      return id
    }
    const minute = (index: number) => new Date(FIRST_DAY_MS + day * 86_400_000 + index * MINUTE_MS)
    const hour = (): Window => ({ from: minute(0), to: minute(60) })
    const record = (streamId: string, at: number, sums: Partial<typeof rollups.$inferInsert>) =>
      storage.db.insert(rollups).values({ streamId, minute: minute(at), firstSeq: 1, lastSeq: 1, ...sums })
    const send = (streamId: string, at: number, sums: Partial<typeof fanouts.$inferInsert>) =>
      storage.db.insert(fanouts).values({ streamId, minute: minute(at), ...sums })
    const get = async (path: string, id?: string) => {
      const span = `from=${minute(0).toISOString()}&to=${minute(60).toISOString()}`
      const url = `http://weir.test/api${id === undefined ? '' : `/streams/${id}`}${path}${path.includes('?') ? '&' : '?'}${span}`
      const routes = measureRoutes({ db: storage.db, streams, now: Date.now })
      const response = await new Elysia().use(requestParts()).use(routes).handle(new Request(url))
      return (await response.json()) as Record<string, unknown>
    }

    test('sums cover one stream, those with a tag, or all', async () => {
      day++
      const [one, other, feed] = [
        await register('poll', 60_000, ['sums']),
        await register('poll', 60_000, ['sums', 'more']),
        await register('sse'),
      ]
      await record(one, 0, { polls: 1, notModified: 1, wireBytes: 10, headBytes: 5 })
      await record(one, 1, { polls: 2, wireBytes: 20, headBytes: 5 })
      await record(other, 1, { polls: 4, wireBytes: 40, headBytes: 5 })
      await record(feed, 2, { events: 8, errors: 1, wireBytes: 80 })
      const of = async (scope: MeasureScope) => {
        const { polls, wireBytes, notModified } = await sumsOf(storage.db, scope, hour())
        return { polls, wireBytes, notModified }
      }
      expect(await of({ streamId: one })).toEqual({ polls: 3, wireBytes: 30, notModified: 1 })
      expect(await of({ tag: 'sums' })).toEqual({ polls: 7, wireBytes: 70, notModified: 1 })
      expect(await of({ tag: 'more' })).toEqual({ polls: 4, wireBytes: 40, notModified: 0 })
      expect(await of('fleet')).toEqual({ polls: 7, wireBytes: 150, notModified: 1 })
      expect(await of({ tag: 'none' })).toEqual({ polls: 0, wireBytes: 0, notModified: 0 })
      expect((await polledSumsOf(storage.db, 'fleet', hour())).wireBytes).toBe(70)
    })

    test('the minute in which a window begins counts, and one that starts exactly at its end doesn’t', async () => {
      day++
      const id = await register('poll')
      for (const at of [0, 1, 2, 3]) await record(id, at, { entries: 10 ** at })
      const during = async (fromMs: number, toMs: number) => {
        const window = { from: new Date(+minute(1) + fromMs), to: new Date(+minute(2) + toMs) }
        return (await sumsOf(storage.db, { streamId: id }, window)).entries
      }
      expect(await during(0, 0)).toBe(10)
      expect(await during(59_999, 1)).toBe(110)
      expect(await during(-1, 60_000)).toBe(111)
    })

    test.each<[string, intervalMs: number, minute: { polls: number; errors?: number }, connectedMs: number]>([
      ['a poll a minute', 60_000, { polls: 1 }, 60_000],
      ['a poll an hour', 3_600_000, { polls: 1 }, 3_600_000],
      ['ten polls of a second', 1_000, { polls: 10 }, 10_000],
      ['polls from before the interval was raised to an hour', 3_600_000, { polls: 120 }, 3_600_000],
      ['polls that fell into a minute beyond its number', 500, { polls: 122 }, 60_000],
      ['a failure that puts the next poll off', 500, { polls: 3, errors: 1 }, 60_000],
      ['a failure of an hourly stream, tried again', 3_600_000, { polls: 0, errors: 3 }, 3_600_000],
    ])(
      '%s would have kept a subscriber connected for its time',
      async (_what, intervalMs, sums, connectedMs) => {
        day++
        const id = await register('poll', intervalMs)
        await record(id, 0, { ...sums, headBytes: 200 })
        expect(await polledSumsOf(storage.db, { streamId: id }, hour())).toMatchObject({
          ...sums,
          connectedMs,
        })
      },
    )

    test('a minute without head sizes says nothing about polling', async () => {
      day++
      const id = await register('poll')
      await record(id, 0, { polls: 1, wireBytes: 1_000, bodyBytes: 1_000 })
      await record(id, 1, { polls: 2, headBytes: 400, plainBytes: 2_000 })
      expect(await polledSumsOf(storage.db, { streamId: id }, hour())).toMatchObject({
        polls: 2,
        wireBytes: 0,
      })
      expect(await sumsOf(storage.db, { streamId: id }, hour())).toMatchObject({ polls: 3, wireBytes: 1_000 })
    })

    test('a subscriber connects once, and as often as actual ones needed a new snapshot', async () => {
      day++
      const polled = async (snapshots?: number, subscriberMs?: number) => {
        const id = await register('poll', 60_000, ['connected'])
        for (const at of [0, 1, 2, 3]) await record(id, at, { polls: 1, headBytes: 200, plainBytes: 1_000 })
        if (snapshots !== undefined) await send(id, 0, { connections: 3, snapshots, subscriberMs })
        await send(id, 60, { connections: 100, snapshots: 100, subscriberMs: 60 * MINUTE_MS })
        return connected({ streamId: id })
      }
      const connected = async (scope: MeasureScope) => {
        const { connections, subscribers, totals } = (await readSavings(storage.db, scope, hour())) ?? never()
        return { connections, subscribers, connectBytes: totals.streaming.plain.connectBytes }
      }
      const connectBytes = 194 + 13 + 1_041
      const once = { connections: 1, connectBytes }
      expect(await polled()).toMatchObject({ ...once, subscribers: 0 })
      expect(await polled(0, 8 * MINUTE_MS)).toMatchObject({ ...once, subscribers: 2 })
      expect(await polled(2, 8 * MINUTE_MS)).toMatchObject({ ...once, subscribers: 2 })
      expect(await polled(6, 8 * MINUTE_MS)).toMatchObject({
        connections: 3,
        connectBytes: 3 * connectBytes,
        subscribers: 2,
      })
      expect(await polled(1, 1_000)).toMatchObject({ ...once, subscribers: 1 / 240 })
      expect(await connected({ tag: 'connected' })).toMatchObject({
        connections: 7,
        connectBytes: 7 * connectBytes,
        subscribers: (24 * MINUTE_MS + 1_000) / (20 * MINUTE_MS),
      })
      expect(await fanoutSums(storage.db, { tag: 'connected' }, hour())).toMatchObject({
        connections: 12,
        snapshots: 9,
        subscriberMs: 24 * MINUTE_MS + 1_000,
      })
    })

    test('the paths that change most come first, with their share of all, and no more than asked for', async () => {
      day++
      const id = await register('poll', 60_000, ['paths'])
      const other = await register('poll', 60_000, ['paths'])
      const changed = (streamId: string, at: number, path: string, changes: number) =>
        storage.db.insert(pathRollups).values({ streamId, hour: minute(at), path, changes })
      await changed(id, -60, '/before', 100)
      await changed(id, 0, '/items/*', 5)
      await changed(id, 60, '/items/*', 1)
      await changed(id, 60, '/at', 3)
      await changed(id, 60, '/more', 3)
      await changed(other, 0, '/at', 8)
      const window = { from: minute(30), to: minute(90) }
      expect(await topPaths(storage.db, { streamId: id }, window, 2)).toEqual([
        { path: '/items/*', changes: 6, share: 0.5 },
        { path: '/at', changes: 3, share: 0.25 },
      ])
      expect((await topPaths(storage.db, { tag: 'paths' }, window, 1))[0]).toMatchObject({
        path: '/at',
        changes: 11,
      })
      expect(await topPaths(storage.db, { tag: 'none' }, window, 1)).toEqual([])
    })

    test('the last change is the newest of all streams; the week is by hours', async () => {
      day += 7 - (day % 7)
      const [one, other] = [
        await register('poll', 60_000, ['last']),
        await register('poll', 60_000, ['last']),
      ]
      await record(one, -1, { compared: 1, changed: 1 })
      await record(one, 0, { compared: 2, changed: 1 })
      await record(other, 70, { compared: 4, changed: 3 })
      await record(other, 71, { compared: 4 })
      expect(await lastChange(storage.db, { streamId: one })).toEqual(minute(0))
      expect(await lastChange(storage.db, { tag: 'last' })).toEqual(minute(70))
      expect(await lastChange(storage.db, { tag: 'none' })).toBeUndefined()
      expect(await lastChange(storage.db, 'fleet')).toEqual(minute(70))
      expect(await hourOfWeek(storage.db, { tag: 'last' }, { from: minute(-1), to: minute(120) })).toEqual([
        { hour: 0, compared: 2, changed: 1 },
        { hour: 1, compared: 8, changed: 3 },
        { hour: 167, compared: 1, changed: 1 },
      ])
    })

    test('savings are given in total and by step, for any number of subscribers', async () => {
      day++
      const id = await register('poll', 60_000, ['told'])
      const sums = { polls: 1, compared: 1, changed: 1, headBytes: 200, plainBytes: 10_000, gzipBytes: 2_000 }
      const changes = {
        conditionalBytes: 2_000,
        wireBytes: 2_000,
        patchBytes: 100,
        frameBytes: 145,
        deflatedBytes: 90,
      }
      for (const at of [0, 59]) await record(id, at, { ...sums, ...changes })
      const saved = await get('/savings?step=minute&subscribers=4', id)
      // Two changes of 145, eight heartbeats, one connection (194 + 13 + 10,041); chunks: 2 × 6, 8 × 5, 5 and 8.
      expect(saved).toMatchObject({
        polls: 2,
        connections: 1,
        baselines: { plain: 20_400, gzip: 4_400, conditional: 4_400 },
        streaming: {
          plain: {
            bytes: 10_707,
            frameBytes: 290,
            heartbeatBytes: 104,
            connectBytes: 10_248,
            chunkBytes: 65,
          },
          // The same compressed: two changes of 90, heartbeats of 19, 235 + 10 + 19 + 2,041; chunks: 12, 48, 5, 6 and 7.
          gzip: {
            bytes: 2_715,
            frameBytes: 180,
            heartbeatBytes: 152,
            connectBytes: 2_305,
            chunkBytes: 78,
          },
        },
        overheadBytes: 10_507,
        clientBandwidthSavings: { plain: 1 - 10_707 / 20_400, conditional: 1 - 2_715 / 4_400 },
        serverBandwidthSavings: { subscribers: 4, plain: 1 - 4_400 / 81_600, conditional: 0.75 },
        measured: null,
        reason: null,
      })
      const steps = saved.steps as { at: string; streamingBytes: number }[]
      expect(steps.map((step) => [new Date(step.at), step.streamingBytes])).toEqual([
        [minute(0), 223],
        [minute(59), 223],
      ])
      expect(await get('/savings?tag=told&step=minute&subscribers=4')).toEqual(saved)
      await send(id, 0, { connections: 9, snapshots: 3, subscriberMs: 6 * MINUTE_MS, wireBytes: 5, slow: 1 })
      expect(await get('/savings', id)).toMatchObject({
        connections: 1,
        serverBandwidthSavings: { subscribers: 3 },
        measured: { connections: 9, subscribers: 3, wireBytes: 5, snapshots: 3, slow: 1 },
      })
    })

    test('without polls the savings are null, with a reason', async () => {
      day++
      const feed = await register('sse', 60_000, ['unpolled'])
      await record(feed, 0, { events: 5, wireBytes: 500, errors: 1 })
      const none = {
        baselines: null,
        streaming: null,
        clientBandwidthSavings: { plain: null, gzip: null, conditional: null },
        steps: [],
      }
      expect(await get('/savings', feed)).toMatchObject({
        ...none,
        reason: expect.stringContaining('event stream'),
      })
      expect(await get('/savings', await register('poll'))).toMatchObject({
        ...none,
        reason: 'No poll was answered in this period.',
      })
      expect(await get('/savings?tag=unpolled')).toMatchObject(none)
    })

    test('change gives freshness, interval and paths; size gives polls and heads', async () => {
      day++
      const id = await register('poll', 1_000, ['both'])
      const sums = { polls: 60, compared: 60, changed: 30, notModified: 10, headBytes: 9_000, errors: 0 }
      await record(id, 0, { ...sums, plainBytes: 100_000, patchBytes: 25_000 })
      await storage.db.insert(pathRollups).values({ streamId: id, hour: minute(0), path: '/a', changes: 30 })
      expect(await get('/change', id)).toMatchObject({
        changeRate: 0.5,
        freshness: 0.25,
        suggestedIntervalMs: 1_000,
        paths: [{ path: '/a', changes: 30, share: 1 }],
      })
      expect(await get('/change?tag=both')).toMatchObject({ freshness: 0.25, suggestedIntervalMs: null })
      const total = { polls: 60, notModified: 10, errors: 0, headBytes: 9_000, patchBytes: 25_000 }
      expect(await get('/size', id)).toMatchObject({ total, steps: [total] })
      expect(await get('/size')).toMatchObject({ total })
      expect(await get('/size?tag=none')).toMatchObject({ total: { polls: 0 }, steps: [] })
      const feed = await register('sse')
      await record(feed, 0, { events: 20, compared: 20, changed: 10 })
      expect(await get('/change', feed)).toMatchObject({ changeRate: 0.5, suggestedIntervalMs: null })
    })

    test('no response has more than 1,440 steps', async () => {
      const span = { from: minute(0), to: minute(1_441), step: 'minute' } as const
      await expect(polledStepsOf(storage.db, 'fleet', span)).rejects.toThrow(
        '1441 steps exceed the limit of 1440',
      )
    })
  })
})

function never(): never {
  throw new Error('It must be there')
}
