import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eq, sql } from 'drizzle-orm'
import { checkpoints } from '../../drizzle/schema.ts'
import type { Freshness } from '../../src/core/judging/status.ts'
import type { Storage } from '../../src/storage/storage.ts'
import type { Run } from '../../src/streams/ingest/run.ts'
import type { UpstreamAnswer } from '../../src/streams/ingest/upstream.ts'
import { observeCaching } from '../../src/streams/measures/observe-caching.ts'
import { emptyDelta, tallied } from '../../src/streams/measures/rollup-delta.ts'
import type { Entry, Exchange } from '../../src/streams/recording/entry.ts'
import { storeEntries } from '../../src/streams/recording/store-entries.ts'
import { owedTallies } from '../../src/streams/recording/store-rollups.ts'
import { insertStreams, newStream } from '../../src/streams/registry/new-stream.ts'
import { openStorage } from '../support/data-dir.ts'
import { until } from '../support/until.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

interface CacheAnswer {
  polls: number
  cacheHits: number
  fresh: number
  freshChanged: number
  headers: Record<string, unknown> | null
  validators: string
  suggestedMaxAge: number | null
  reason: string | null
}

let upstream: Upstream
let weir: TestWeir
let directory: string
let storage: Storage

beforeAll(async () => {
  upstream = startUpstream()
  weir = await startTestWeir()
  directory = mkdtempSync(join(tmpdir(), 'weir-caching-'))
  storage = await openStorage({ databaseUrl: undefined, dataDir: directory })
})

afterAll(async () => {
  await weir.close()
  await upstream.stop()
  await storage.close()
  rmSync(directory, { recursive: true, force: true })
})

const NOW = Date.UTC(2026, 0, 5)

function observe(
  last: { at?: number; fresh?: Freshness },
  headers: Record<string, string>,
  status = 200,
): { fresh: Freshness; exchange: Exchange } {
  const exchange: Required<Pick<Exchange, 'request' | 'response'>> = {
    request: { method: 'GET', url: '', headers: {} },
    response: { status, headers, firstByteMs: 1, durationMs: 100 },
  }
  const run = { stream: { intervalMs: 5_000 }, evidence: { lastPollAt: last.at, fresh: last.fresh } }
  const answer = { response: new Response(null, { status, headers }), exchange }
  const fresh = observeCaching(run as Run, answer as unknown as UpstreamAnswer, NOW)
  return { fresh, exchange }
}

test('a request that was sent while the last answer was fresh could have been answered by a cache', () => {
  const at = NOW - 10_000
  const fresh = (untilMs: number, of = at) => ({ of, until: untilMs, lifetimeMs: 30_000 })
  const isFresh = (last: Parameters<typeof observe>[0]) => observe(last, {}).exchange.isFresh
  // The answer took 100 ms.
  expect(isFresh({ at, fresh: fresh(NOW - 99) })).toBe(true)
  expect(isFresh({ at, fresh: fresh(NOW - 100) })).toBeUndefined()
  expect(isFresh({ at, fresh: { of: at } })).toBeUndefined()
  expect(isFresh({ at })).toBeUndefined()
  // Of an answer before the last one.
  expect(isFresh({ at, fresh: fresh(NOW, at - 1) })).toBeUndefined()
})

test('the time since the last answer is real, unless the clock was set back', () => {
  const comparedMs = (at?: number) => observe({ at }, {}).exchange.comparedMs
  expect(comparedMs(NOW - 12_345)).toBe(12_345)
  expect(comparedMs(NOW + 1)).toBe(5_000)
  expect(comparedMs(undefined)).toBe(5_000)
})

test('what a cache would have answered doesn’t renew what it has, and may be outdated', () => {
  const at = NOW - 2_000
  const held = { of: at, lifetimeMs: 10_000, until: NOW + 3_000 }
  const first = observe({ at, fresh: held }, { 'cache-control': 'max-age=10' })
  expect([first.exchange.isFresh, first.exchange.isOutdated, first.fresh]).toEqual([
    true,
    undefined,
    { ...held, of: NOW },
  ])
  const outdated = observe({ at, fresh: { ...held, isOutdated: true } }, { 'cache-control': 'max-age=10' })
  expect(outdated.exchange.isOutdated).toBe(true)
  expect(outdated.fresh).toEqual({ ...held, of: NOW, isOutdated: true })
  const next = observe(
    { at, fresh: { ...held, until: NOW - 200, isOutdated: true } },
    { 'cache-control': 'max-age=10' },
  )
  expect(next.exchange.isFresh).toBeUndefined()
  expect(next.fresh).toEqual({ of: NOW, lifetimeMs: 10_000, until: NOW + 10_000 })
})

test('a 304 without a lifetime renews that of the answer it stands for', () => {
  const at = NOW - 10_000
  const last = { at, fresh: { of: at, lifetimeMs: 30_000, until: NOW - 1_000 } }
  expect(observe(last, {}, 304).fresh).toEqual({ of: NOW, lifetimeMs: 30_000, until: NOW + 30_000 })
  expect(observe(last, { 'cache-control': 'max-age=5' }, 304).fresh.until).toBe(NOW + 5_000)
  expect(observe(last, {}).fresh).toEqual({ of: NOW, lifetimeMs: undefined, until: undefined })
})

test('what is counted as polls are stored is counted again after a worker was killed', async () => {
  const [stream] = await insertStreams(storage.db, [newStream({ url: 'http://localhost/', kind: 'poll' })])
  const streamId = stream?.id ?? ''
  const request = { method: 'GET', url: '', headers: {} }
  const response = { status: 200, headers: {}, firstByteMs: 1, durationMs: 2 }
  const polled = (seq: number, more: Partial<Entry>, exchange: Partial<Exchange> = {}): Entry => ({
    ...{ streamId, seq, epoch: 0, at: Date.now(), kind: 'exchange', wireBytes: 1, bodyBytes: 1, ...more },
    exchange: { request, response, ...exchange },
  })
  const entries = [
    polled(1, {}, { comparedMs: 5_000 }),
    polled(2, { changed: false }, { comparedMs: 1_000, isFresh: true }),
    polled(3, { changed: true }, { comparedMs: 2_000, isFresh: true, isOutdated: true, isCacheHit: true }),
    polled(4, { changed: true }, { comparedMs: 4_000 }),
  ]
  await storage.db.update(checkpoints).set({ epoch: 0 }).where(eq(checkpoints.streamId, streamId))
  const stored = await storeEntries(
    storage.db,
    entries.map((entry) => ({ entry, checkpoint: { seq: entry.seq } })),
  )
  expect(stored.get(streamId)).toBe(0)
  const owed = await owedTallies(storage.db, [{ streamId, seq: 4, summedSeq: 0 }])
  const again = owed.get(streamId)
  expect(again).toEqual(tallied(emptyDelta(0), entries))
  expect([...(again?.minutes.values() ?? [])].reduce((sum, { compared_ms }) => sum + compared_ms, 0)).toBe(
    7_000,
  )
  expect([...(again?.minutes.values() ?? [])].reduce((sum, { changed_ms }) => sum + changed_ms, 0)).toBe(
    6_000,
  )
  await storage.db.execute(sql`DELETE FROM weir.streams`)
})

test('an API that may be cached for longer than it stays the same is found out', async () => {
  const url = upstream.on('/cached', (_request, hit) =>
    Response.json(
      { hit },
      { headers: { 'cache-control': 'max-age=30, s-maxage=60', age: '10', etag: 'W/"1"' } },
    ),
  )
  const { id } = await weir.register({ url, kind: 'poll', intervalMs: 500 })
  const answer = () => weir.json<CacheAnswer>(`/api/streams/${id}/cache`)
  const found = await until('three polls are counted', async () => {
    const read = await answer()
    return read.polls >= 3 && read
  })
  expect(found).toMatchObject({
    cacheHits: found.polls,
    fresh: found.polls - 1,
    freshChanged: found.polls - 1,
    headers: { lifetimeMs: 30_000, sharedLifetimeMs: 60_000, ageMs: 10_000, etag: true, lastModified: false },
    validators: 'unknown',
    // Every poll found a change.
    suggestedMaxAge: null,
    reason: null,
  })
  expect(await (await weir.get(`/streams/${id}`)).text()).toContain('max-age, s-maxage')
})

test('the time that polls observed goes on while a stream is stopped', async () => {
  const url = upstream.on('/same', () => Response.json({ same: true }))
  const { id } = await weir.register({ url, kind: 'poll', intervalMs: 500 })
  await weir.entry(id, 'it was polled twice', ({ seq }) => seq >= 2)
  await weir.send('POST', `/api/streams/${id}/stop`)
  await weir.status(id, 'stopped')
  const stopped = (await weir.logs(id)).length
  await weir.send('POST', `/api/streams/${id}/start`)
  await weir.entry(id, 'it was polled again', ({ seq }) => seq >= stopped + 2)
  await weir.send('POST', `/api/streams/${id}/stop`)
  await weir.status(id, 'stopped')
  const polls = (await weir.logs(id)).filter(({ kind }) => kind !== 'gap')
  await weir.summed(id, (await weir.logs(id)).length)
  const { frequency } = await weir.json<{ frequency: { high: number; perHour: number; words: string } }>(
    `/api/streams/${id}/change`,
  )
  // The bound of no change at all follows from the time alone.
  const observedMs = (-Math.log(0.05) / frequency.high) * 3_600_000
  const loggedMs = Date.parse(polls.at(-1)?.at ?? '') - Date.parse(polls[0]?.at ?? '')
  expect(Math.abs(observedMs - loggedMs)).toBeLessThanOrEqual(polls.length)
  expect(frequency).toMatchObject({
    perHour: 0,
    words: expect.stringMatching(/^no change in .+: less often than every /),
  })
})

test('the last change is that of its entry, not of its minute', async () => {
  const url = upstream.on('/once', (_request, hit) => Response.json({ changed: hit > 1 }))
  const { id } = await weir.register({ url, kind: 'poll', intervalMs: 500 })
  const entry = await weir.entry(id, 'it changed', ({ changed }) => changed === true)
  const changedAt = () => weir.json<{ lastChangedAt: string | null }>(`/api/streams/${id}/change`)
  const { lastChangedAt } = await until('the change is rolled up', async () => {
    const read = await changedAt()
    return read.lastChangedAt !== null && read
  })
  expect(lastChangedAt).toBe(entry.at)
})
