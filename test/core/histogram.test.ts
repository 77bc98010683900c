import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { type Buckets, boundedBuckets, growingBuckets, Histogram } from '../../src/core/histogram.ts'
import { Properties } from './property.ts'

const properties = new Properties('histogram')
const BOUNDED = boundedBuckets([1, 10, 100])
const GROWING = growingBuckets(1, 2, 4)

test.each<[string, Buckets, number, number]>([
  ['a value at a bound is within it', BOUNDED, 10, 1],
  ['a value over a bound is in the next bucket', BOUNDED, 10.5, 2],
  ['a value over every bound is in the last bucket', BOUNDED, 101, 3],
  ['a value under every bound is in the first bucket', BOUNDED, -1, 0],
  ['the first growing bucket ends at its bound', GROWING, 1, 0],
  ['each growing bucket ends at a multiple of the one before', GROWING, 8, 3],
  ['a value over a growing bound is in the next bucket', GROWING, 8.1, 4],
  ['a value over all growing buckets is in the last', GROWING, 1_000, 4],
  ['zero is in the first growing bucket', GROWING, 0, 0],
  ['a negative value is in the first growing bucket', GROWING, -1, 0],
  ['what is no number is in the first growing bucket', GROWING, Number.NaN, 0],
])('%s', (_, buckets, value, bucket) => {
  expect(buckets.of(value)).toBe(bucket)
})

test('a quantile is the value that stands for its bucket', () => {
  const bounded = of(BOUNDED, [0, 5, 50, 500])
  expect([0, 0.5, 0.6, 0.75, 1].map((share) => bounded.quantile(share))).toEqual([1, 10, 100, 100, Infinity])
  const growing = of(GROWING, [3, 3, 3, 7])
  expect(growing.quantile(0.5)).toBeCloseTo(8 / 3)
  expect(growing.quantile(1)).toBeCloseTo(16 / 3)
  expect(new Histogram(BOUNDED).quantile(0.5)).toBeUndefined()
})

test('the value that stands for a growing bucket is equally far from both of its bounds, relative to them', () => {
  for (let bucket = 1; bucket <= GROWING.last; bucket++) {
    const value = GROWING.valueOf(bucket)
    expect(1 - value / 2 ** bucket).toBeCloseTo(value / 2 ** (bucket - 1) - 1)
    expect(GROWING.of(value)).toBe(bucket)
  }
})

test('merging histograms is the same as adding all values to one', () => {
  const values = fc.array(fc.double({ min: -1, max: 20, noNaN: true }), { maxLength: 50 })
  properties.check(fc.array(values, { maxLength: 4 }), (parts) => {
    const merged = new Histogram(GROWING)
    for (const part of parts) merged.merge(of(GROWING, part))
    const whole = of(GROWING, parts.flat())
    expect(new Map(merged.counts())).toEqual(new Map(whole.counts()))
    expect(merged.size).toBe(whole.size)
  })
})

test('counts of buckets that do not exist are ignored', () => {
  const histogram = new Histogram(BOUNDED)
  for (const bucket of [-1, 4, 0.5, Number.NaN, 3]) histogram.addCount(bucket, 2)
  expect([...histogram.counts()]).toEqual([[3, 2]])
  expect([histogram.size, histogram.countOf(3), histogram.countOf(0)]).toEqual([2, 2, 0])
})

function of(buckets: Buckets, values: readonly number[]): Histogram {
  const histogram = new Histogram(buckets)
  for (const value of values) histogram.add(value)
  return histogram
}
