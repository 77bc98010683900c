import { expect, test } from 'bun:test'
import { drawStatus, randomFor } from '../../src/sim/random.ts'

function draws(seed: number, name: string, count: number): number[] {
  const random = randomFor(seed, name)
  return Array.from({ length: count }, () => drawStatus(random))
}

test('a leaf succeeds six times in eight, and fails in two ways equally often', () => {
  const statuses = draws(42, 'T', 800)
  const share = (status: number) => statuses.filter((drawn) => drawn === status).length / statuses.length
  expect(share(200)).toBeCloseTo(6 / 8, 1)
  expect(share(500)).toBeCloseTo(1 / 8, 1)
  expect(share(502)).toBeCloseTo(1 / 8, 1)
  expect(share(200) + share(500) + share(502)).toBe(1)
})

test('the same seed and name draw the same', () => {
  expect(draws(7, 'T', 50)).toEqual(draws(7, 'T', 50))
})

test('another seed or another name draws differently', () => {
  expect(draws(8, 'T', 50)).not.toEqual(draws(7, 'T', 50))
  expect(draws(7, 'DS', 50)).not.toEqual(draws(7, 'T', 50))
})

test('random numbers are from 0 to 1 and evenly spread', () => {
  const random = randomFor(3, 'T')
  const buckets = Array.from({ length: 8 }, () => 0)
  for (let draw = 0; draw < 8_000; draw++) {
    const bucket = Math.floor(random() * 8)
    buckets[bucket] = (buckets[bucket] ?? Number.NaN) + 1
  }
  expect(buckets).toHaveLength(8)
  for (const count of buckets) expect(Math.abs(count - 1_000)).toBeLessThan(150)
})
