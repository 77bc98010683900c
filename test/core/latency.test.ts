import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { LAST_BUCKET, Latency, MAX_MS, MIN_MS, RELATIVE_ERROR } from '../../src/core/latency.ts'
import { Properties } from './property.ts'

const properties = new Properties('latency')
const SHARES = [0, 0.01, 0.5, 0.9, 0.95, 0.99, 1]

test('quantiles are within the stated error, whatever the durations', () => {
  properties.check(someDurations(), (durations) => {
    const latency = of(durations)
    for (const share of SHARES) expectNear(latency, durations, share)
  })
})

test('merging adds up, in any order, and survives serialization', () => {
  properties.check(fc.array(someDurations(), { minLength: 1, maxLength: 3 }), (parts) => {
    const forward = new Latency()
    const backward = new Latency()
    for (const part of parts) forward.merge(of(part))
    for (const part of parts.toReversed())
      backward.merge(Latency.from(JSON.parse(JSON.stringify(of(part).toArray()))))
    const all = of(parts.flat())
    expect([forward.size, backward.size]).toEqual([all.size, all.size])
    for (const share of SHARES) {
      expect(forward.quantile(share)).toBe(all.quantile(share) as number)
      expect(backward.quantile(share)).toBe(all.quantile(share) as number)
    }
  })
})

test('an empty histogram has no quantile', () => {
  expect(new Latency().quantile(0.5)).toBeUndefined()
  expect(new Latency().toArray()).toEqual([])
})

test.each([
  ['nothing at all', 0, MIN_MS],
  ['less than can be told apart', MIN_MS / 1_000, MIN_MS],
  ['longer than the longest', MAX_MS * 1_000, MAX_MS],
])('%s counts as the nearest limit', (_, durationMs, bound) => {
  const told = of([durationMs]).quantile(0.5) ?? 0
  expect(Math.abs(told - bound) / bound).toBeLessThanOrEqual(RELATIVE_ERROR + Number.EPSILON * 10)
})

test('the number of buckets is bounded for any number of durations', () => {
  const latency = new Latency()
  for (let power = -1; power < 30; power += 0.001) latency.add(MIN_MS * 2 ** power)
  for (let bucket = 0; bucket <= LAST_BUCKET; bucket++) latency.merge(Latency.from([bucket, 1]))
  expect(latency.toArray()).toHaveLength((LAST_BUCKET + 1) * 2)
})

test('invalid buckets, and a count without its bucket, are ignored', () => {
  expect(Latency.from([-1, 5, LAST_BUCKET + 1, 5, 0.5, 5, 3, 2, 4]).toArray()).toEqual([3, 2])
})

/** Of one of three forms: even over the whole range, around one value, all the same. */
function someDurations(): fc.Arbitrary<number[]> {
  const share = fc.double({ min: 0, max: 1, noNaN: true })
  const duration = share.map((power) => MIN_MS * (MAX_MS / MIN_MS) ** power)
  const several = (each: fc.Arbitrary<number>) => fc.array(each, { minLength: 1, maxLength: 400 })
  const near = (scale: number) =>
    share.map((part) => Math.min(MAX_MS, Math.max(MIN_MS, scale * (0.5 + part))))
  return fc.oneof(
    several(duration),
    duration.chain((scale) => several(near(scale))),
    duration.chain((scale) => several(fc.constant(scale))),
  )
}

function of(durations: readonly number[]): Latency {
  const latency = new Latency()
  for (const duration of durations) latency.add(duration)
  return latency
}

function expectNear(latency: Latency, durations: readonly number[], share: number): void {
  const sorted = durations.toSorted((a, b) => a - b)
  const exact = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0
  const error = Math.abs((latency.quantile(share) ?? Infinity) - exact) / exact
  expect({ share, exact, isNear: error <= RELATIVE_ERROR + 1e-9 }).toEqual({ share, exact, isNear: true })
}
