import { expect, test } from 'bun:test'
import type { Client } from '../../src/limits/client.ts'
import { type FollowedTarget, TooOften } from '../../src/limits/upstream-bounds.ts'
import { UpstreamRate } from '../../src/limits/upstream-rate.ts'

const PER_HOST = 10
const IN_ALL = 30
const BURST_SECONDS = 5
const LINGER_MS = 60_000
/** The polls of a closed subscription have stopped by then. */
const OVER_MS = LINGER_MS + 30_000
/** New targets every tenth of a second. */
const ATTEMPTS = 20
const KEY: Client = { key: 'key:1', isLocal: false }
const OTHER: Client = { key: 'key:2', isLocal: false }

function limiter(given: string[] = []) {
  const clock = { nowMs: 1_000 }
  const settings = { proxyRatePerHost: PER_HOST, proxyRate: IN_ALL, proxyLingerMs: LINGER_MS }
  return { clock, rate: new UpstreamRate({ ...settings, given: new Set(given) }, () => clock.nowMs) }
}

function target(name: string | number, intervalMs: number, host = 'api.example.com'): FollowedTarget {
  const url = `https://${host}/${name}`
  return { key: `${url} ${intervalMs}`, url, intervalMs }
}

function refusalOf(work: () => unknown): TooOften | undefined {
  try {
    work()
    return undefined
  } catch (error) {
    if (error instanceof TooOften) return error
    throw error
  }
}

test('requests of one client to one host have a rate and a burst; other hosts and clients count separately', () => {
  const { clock, rate } = limiter()
  for (let each = 0; each < PER_HOST * BURST_SECONDS; each++) rate.take(KEY, 'https://api.example.com/a')
  const refused = refusalOf(() => rate.take(KEY, 'https://API.example.com.:8443/b'))
  expect(refused?.detail).toContain('PROXY_RATE_PER_HOST')
  expect(refused?.waitMs).toBe(1_000 / PER_HOST)
  expect(refused?.toResponse().status).toBe(429)
  expect(refused?.toResponse().headers.get('retry-after')).toBe('1')
  rate.take(KEY, 'https://other.example.com/')
  rate.take(OTHER, 'https://api.example.com/a')
  clock.nowMs += 1_000 / PER_HOST
  rate.take(KEY, 'https://api.example.com/a')
})

test('requests of one client to all hosts have another rate', () => {
  const { rate } = limiter()
  const take = (each: number) => rate.take(KEY, `https://host-${each}.example.com/`)
  for (let each = 0; each < IN_ALL * BURST_SECONDS; each++) take(each)
  expect(refusalOf(() => take(-1))?.detail).toContain('PROXY_RATE sets')
  expect(refusalOf(() => rate.take(OTHER, 'https://host-0.example.com/'))).toBeUndefined()
})

test('a subscription counts until its polls have stopped', () => {
  const { clock, rate } = limiter()
  const leaves = Array.from({ length: 4 }, (_, each) => rate.follow(KEY, target(each, 500)))
  const fifth = () => rate.follow(KEY, target('fifth', 500))
  clock.nowMs += 86_400_000
  expect(refusalOf(fifth)?.detail).toContain('8.1 of 10 requests per second to api.example.com')
  expect(refusalOf(fifth)?.waitMs).toBe(OVER_MS)
  // Who joins what it follows already makes nobody ask more, nor does one of them leaving.
  rate.follow(KEY, target(0, 500))()
  leaves[1]?.()
  leaves[1]?.()
  clock.nowMs += OVER_MS - 1
  expect(refusalOf(fifth)).toBeDefined()
  clock.nowMs += 1
  expect(refusalOf(fifth)).toBeUndefined()
  expect(refusalOf(() => rate.follow(OTHER, target(0, 500)))).toBeUndefined()
})

test('a subscription resumed before its polls stop keeps counting', () => {
  const { clock, rate } = limiter()
  for (let each = 0; each < 4; each++) rate.follow(KEY, target(each, 500))()
  clock.nowMs += OVER_MS - 1
  for (let each = 0; each < 4; each++) rate.follow(KEY, target(each, 500))
  clock.nowMs += OVER_MS
  expect(refusalOf(() => rate.follow(KEY, target('fifth', 500)))).toBeDefined()
})

test.each([500, 2_000, 60_000, 86_400_000])(
  'starts and polls every %d ms stay within the rate, however often a client subscribes',
  (intervalMs) => {
    const { clock, rate } = limiter()
    const stepMs = 100
    const steps = 12_000
    let requests = 0
    let running: { startedAt: number; endsAt: number }[] = []
    for (let step = 0; step < steps; step++) {
      clock.nowMs += stepMs
      for (let each = 0; each < ATTEMPTS; each++) {
        if (refusalOf(() => rate.follow(KEY, target(`${step}-${each}`, intervalMs))()) !== undefined) break
        running.push({ startedAt: clock.nowMs, endsAt: clock.nowMs + LINGER_MS })
      }
      const polls = running.filter(({ startedAt }) => (clock.nowMs - startedAt) % intervalMs < stepMs)
      requests += polls.length
      running = running.filter(({ endsAt }) => endsAt > clock.nowMs)
    }
    const seconds = (steps * stepMs) / 1_000
    expect(requests).toBeLessThanOrEqual(PER_HOST * (seconds + BURST_SECONDS))
    expect(requests).toBeGreaterThan(0)
  },
)

test('local clients have no limit unless it is set, and workers never have one', () => {
  const local: Client = { key: '127.0.0.1', isLocal: true }
  const spend = (rate: UpstreamRate, client: Client | undefined) => {
    for (let each = 0; each < 1_000; each++) rate.take(client, 'http://localhost/')
    for (let each = 0; each < 100; each++) rate.follow(client, target(each, 500))
  }
  expect(refusalOf(() => spend(limiter().rate, local))).toBeUndefined()
  expect(refusalOf(() => spend(limiter().rate, undefined))).toBeUndefined()
  expect(refusalOf(() => spend(limiter(['PROXY_RATE_PER_HOST']).rate, local))).toBeDefined()
})

test('clients without subscriptions are forgotten', () => {
  const { clock, rate } = limiter()
  const follow = (each: number) => rate.follow({ key: `key:${each}`, isLocal: false }, target('a', 5_000))()
  for (let each = 0; each < 1_200; each++) follow(each)
  clock.nowMs += OVER_MS
  follow(-1)
  expect(rate.clients).toBe(1)
})
