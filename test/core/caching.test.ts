import { expect, test } from 'bun:test'
import { freshUntil, readCaching } from '../../src/core/change/caching.ts'

const read = (headers: Record<string, string>) => readCaching((name) => headers[name])

const LIFETIMES: [
  headers: Record<string, string>,
  lifetimeMs: number | undefined,
  sharedLifetimeMs?: number,
][] = [
  [{}, undefined],
  [{ 'cache-control': 'max-age=60' }, 60_000],
  [{ 'cache-control': 'public, Max-Age="60" , stale-while-revalidate=30' }, 60_000],
  [{ 'cache-control': 'max-age=60, max-age=5' }, 60_000],
  [{ 'cache-control': 'max-age=60, s-maxage=600' }, 60_000, 600_000],
  [{ 'cache-control': 's-maxage=600' }, undefined, 600_000],
  [{ 'cache-control': 'private, max-age=60' }, 60_000, 0],
  [{ 'cache-control': 'private="Set-Cookie", max-age=60' }, 60_000],
  [{ 'cache-control': 'no-store, max-age=60' }, 0],
  [{ 'cache-control': 'no-cache, s-maxage=60' }, 0],
  [{ 'cache-control': 'no-cache="Set-Cookie", max-age=60' }, 60_000],
  [{ 'cache-control': 'max-age=-1' }, 0],
  [{ 'cache-control': 'max-age=soon' }, 0],
  [{ 'cache-control': `max-age=${'9'.repeat(400)}` }, 2 ** 31 * 1_000],
  [{ expires: 'Thu, 01 Jan 2026 00:01:00 GMT', date: 'Thu, 01 Jan 2026 00:00:00 GMT' }, 60_000],
  [{ expires: 'Thu, 01 Jan 2026 00:00:00 GMT', date: 'Thu, 01 Jan 2026 00:01:00 GMT' }, 0],
  [{ expires: '0', date: 'Thu, 01 Jan 2026 00:01:00 GMT' }, 0],
  [{ expires: 'Thu, 01 Jan 2026 00:01:00 GMT', 'cache-control': 'max-age=5' }, 5_000],
]

test.each(
  LIFETIMES.map(([headers, lifetimeMs, sharedLifetimeMs]) => ({
    sent: JSON.stringify(headers).slice(0, 100),
    headers,
    lifetimeMs,
    sharedLifetimeMs,
  })),
)('$sent says how long it may be reused', ({ headers, lifetimeMs, sharedLifetimeMs }) => {
  expect(read(headers).lifetimeMs).toBe(lifetimeMs)
  expect(read(headers).sharedLifetimeMs).toBe(sharedLifetimeMs)
})

const HITS: [headers: Record<string, string>, isCacheHit: boolean | undefined][] = [
  [{}, undefined],
  [{ 'cache-status': 'Origin; hit' }, true],
  [{ 'cache-status': 'Origin; fwd=miss, CDN; hit; ttl=30' }, true],
  [{ 'cache-status': 'CDN; fwd=uri-miss; detail="hit"' }, false],
  [{ 'cf-cache-status': 'HIT' }, true],
  [{ 'cf-cache-status': 'DYNAMIC' }, false],
  [{ 'x-cache': 'Hit from cloudfront' }, true],
  [{ 'x-cache': 'TCP_MEM_HIT from a.example' }, true],
  [{ 'x-cache': 'MISS, HIT' }, true],
  [{ 'x-cache': 'MISS' }, false],
  [{ age: '0' }, undefined],
  [{ age: '12' }, true],
  [{ age: '12', 'cf-cache-status': 'MISS' }, false],
]

test.each(HITS.map(([headers, isCacheHit]) => ({ sent: JSON.stringify(headers), headers, isCacheHit })))(
  '$sent says whether a shared cache answered',
  ({ headers, isCacheHit }) => {
    expect(read(headers).isCacheHit).toBe(isCacheHit)
  },
)

test('the time in caches counts against the lifetime', () => {
  const now = Date.UTC(2026, 0, 1)
  expect(freshUntil(read({ 'cache-control': 'max-age=60', age: '20' }), now)).toBe(now + 40_000)
  expect(freshUntil(read({ 'cache-control': 'max-age=60', age: '90' }), now)).toBe(now)
  expect(freshUntil(read({ age: '90' }), now)).toBeUndefined()
})

test('a header of any length is read in no time', () => {
  expect(read({ 'cache-control': 'a,'.repeat(100_000) }).directives).toEqual(['a'])
  expect(read({ 'cache-control': `a="${'\\"'.repeat(50_000)}` }).directives.length).toBeLessThanOrEqual(32)
})
