import { expect, test } from 'bun:test'
import { changeRate, STEPS_MS, streamRank } from '../../src/core/measures.ts'

test.each<[changed: number, compared: number, rate: number | null, rank: number | null]>([
  [0, 0, null, null],
  [0, 1, 0, 0],
  [1, 1, 1, 100],
  [1, 2, 0.5, 50],
  [1, 3, 1 / 3, 33.3],
  [2, 3, 2 / 3, 66.7],
  [1, 1_440, 1 / 1_440, 0.1],
  [1, 100_000, 1 / 100_000, 0],
])('%p changes in %p comparisons are a rate of %p and a rank of %p', (changed, compared, rate, rank) => {
  expect(changeRate({ changed, compared })).toBe(rate)
  expect(streamRank({ changed, compared })).toEqual({ rank, samples: compared })
})

test('a step is what its name says', () => {
  const { minute, hour, day }: Record<string, number> = STEPS_MS
  expect([minute, hour, day]).toEqual([60_000, 60 * 60_000, 24 * 60 * 60_000])
})
