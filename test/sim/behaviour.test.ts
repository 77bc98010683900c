import { expect, test } from 'bun:test'
import { FaultHolder } from '../../src/sim/faults/faults.ts'
import type { Quantiles } from '../../src/sim/graph/graph.ts'
import { always, valueAt } from '../../src/sim/graph/quantiles.ts'
import { randomFor, weighted } from '../../src/sim/random.ts'
import { Behaviour, failing } from '../../src/sim/service/behaviour.ts'
import { RateLimiter } from '../../src/sim/service/rate-limiter.ts'

const SEED = 20_261_122

/** Any ascending three, zeros and equals among them. */
function anyQuantiles(at: number): Quantiles {
  const random = randomFor(SEED, `quantiles ${at}`)
  const value = () => (random() < 0.2 ? 0 : Math.round(10 ** (random() * 5)))
  const [p50 = 0, p90 = 0, p99 = 0] = [value(), value(), value()].toSorted((a, b) => a - b)
  return { p50, p90, p99 }
}

test('a distribution has exactly its quantiles, and only grows', () => {
  console.log(`seed ${SEED}`)
  for (let at = 0; at < 300; at++) {
    const quantiles = anyQuantiles(at)
    const { p50, p90, p99 } = quantiles
    const values = Array.from({ length: 101 }, (_, hundredth) => valueAt(quantiles, hundredth / 100))
    for (const [share, value] of [
      [0.5, p50],
      [0.9, p90],
      [0.99, p99],
    ] as const) {
      expect(valueAt(quantiles, share)).toBeCloseTo(value, 4)
    }
    expect(values).toEqual(values.toSorted((a, b) => a - b))
    expect(values[0]).toBeGreaterThanOrEqual(0)
    expect(Number.isFinite(values[100])).toBe(true)
  }
})

test('what is drawn from it has them too', () => {
  const quantiles = { p50: 20, p90: 80, p99: 400 }
  const drawn = Array.from({ length: 20_000 }, (_, n) => valueAt(quantiles, randomFor(SEED, `T #${n}`)()))
  const partBelow = (bound: number) => drawn.filter((value) => value <= bound).length / drawn.length
  expect(partBelow(20)).toBeCloseTo(0.5, 1.8)
  expect(partBelow(80)).toBeCloseTo(0.9, 1.8)
  expect(partBelow(400)).toBeCloseTo(0.99, 2)
})

test('a value that is always the same is exact', () => {
  expect([0, 0.3, 0.5, 0.99, 1].map((share) => valueAt(always(777), share))).toEqual(Array(5).fill(777))
})

test('statuses come by their weights', () => {
  const random = randomFor(SEED, 'weights')
  const drawn = Array.from({ length: 8_000 }, () => weighted({ 500: 1, 503: 3 }, random))
  expect(drawn.filter((status) => status === 500).length / drawn.length).toBeCloseTo(0.25, 1)
  expect(new Set(drawn)).toEqual(new Set([500, 503]))
})

test('a limit takes a burst at once, then what a second has room for, and says how long to wait', () => {
  const limiter = new RateLimiter()
  const limit = { perSecond: 0.5, burst: 3 }
  const take = (now: number) => limiter.take(limit, now)
  expect([take(0), take(0), take(0), take(0)]).toEqual([undefined, undefined, undefined, 2])
  expect(take(1_000)).toBe(1)
  expect(take(2_000)).toBeUndefined()
  expect(take(2_000)).toBe(2)
  // An hour fills the bucket, and no more.
  expect([1, 2, 3, 4].map(() => take(3_602_000))).toEqual([undefined, undefined, undefined, 2])
})

test('another limit begins full, and no limit refuses nobody', () => {
  const limiter = new RateLimiter()
  const one = { perSecond: 1, burst: 1, retryAfterSeconds: 9 }
  expect([limiter.take(one, 0), limiter.take(one, 0)]).toEqual([undefined, 9])
  expect(limiter.take({ ...one }, 0)).toBeUndefined()
  expect(Array.from({ length: 50 }, () => limiter.take(undefined, 0))).toEqual(Array(50).fill(undefined))
})

test('faults count in place of what is normal, one by one, and only while they last', () => {
  const faults = new FaultHolder()
  const normal = { latencyMs: always(5), failure: failing(0, { 500: 1 }), payloadBytes: always(3) }
  const behaviour = new Behaviour(normal, faults)
  const random = randomFor(SEED, 'faults')
  const now = () => [behaviour.latencyMs(random), behaviour.failure(random), behaviour.payload(random)]
  expect(now()).toEqual([5, undefined, 'xxx'])
  faults.set({ latencyMs: always(90) })
  expect(now()).toEqual([90, undefined, 'xxx'])
  faults.set({ errorRate: 1, payloadBytes: 1 })
  expect(now()).toEqual([5, 500, 'x'])
  faults.set({ errorRate: 1, errorCodes: { 418: 1 }, reset: true, payloadBytes: 0 })
  expect([...now(), behaviour.resets]).toEqual([5, 418, undefined, true])
  faults.clear()
  expect([...now(), behaviour.resets]).toEqual([5, undefined, 'xxx', false])
})

test('other error codes alone change how it fails, not how often', () => {
  const faults = new FaultHolder()
  const behaviour = new Behaviour({ failure: failing(0.5, { 500: 1 }) }, faults)
  faults.set({ errorCodes: { 503: 1 } })
  const random = randomFor(SEED, 'codes')
  const drawn = Array.from({ length: 2_000 }, () => behaviour.failure(random))
  expect(new Set(drawn)).toEqual(new Set([undefined, 503]))
  expect(drawn.filter((status) => status === 503).length / drawn.length).toBeCloseTo(0.5, 1)
})
