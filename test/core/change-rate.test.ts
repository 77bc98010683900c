import { describe, expect, test } from 'bun:test'
import type { Comparisons } from '../../src/core/change/groups.ts'
import { type Estimate, estimateRate, missedShare, rankOf } from '../../src/core/change/rate.ts'
import { briefly, inWords, period } from '../../src/core/change/words.ts'
import { poisson, polled } from './change-sources.ts'
import { mulberry32 } from './seeded.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000

function polls(compared: number, changed: number, intervalMs: number): Comparisons {
  return { compared, changed, comparedMs: compared * intervalMs, changedMs: changed * intervalMs }
}

const rate = (...rows: Comparisons[]) => estimateRate(rows) as Estimate

test('polls at one interval give the rate of Cho and Garcia-Molina', () => {
  const { perMs } = rate(polls(1_440, 144, MINUTE_MS))
  expect(perMs * MINUTE_MS).toBeCloseTo(-Math.log(1_296.5 / 1_440.5), 6)
})

test('unequal intervals are each counted with their own time', () => {
  // Two polls of an hour that changed, ten of a minute that didn't: 2 × 60 / (e^60λ − 1) = 10.5, with half a minute.
  const { perMs } = rate(polls(2, 2, HOUR_MS), polls(10, 0, MINUTE_MS))
  expect(perMs * MINUTE_MS).toBeCloseTo(Math.log(1 + 120 / 10.5) / 60, 6)
})

test('an interruption of hours doesn’t pass for the interval', () => {
  const before = rate(polls(600, 60, MINUTE_MS))
  const after = rate(polls(600, 60, MINUTE_MS), polls(1, 1, 12 * HOUR_MS))
  expect(after.perMs / before.perMs).toBeCloseTo(1, 1)
})

test('nothing compared has no rate', () => {
  expect(estimateRate([])).toBeNull()
  expect(estimateRate([polls(0, 0, MINUTE_MS)])).toBeNull()
})

test('without a change there is an upper bound: three in the time that was observed', () => {
  const { perMs, perHour, low, high, words } = rate(polls(180, 0, MINUTE_MS))
  expect({ perMs, perHour, low, high }).toEqual({ perMs: 0, perHour: 0, low: 0, high: expect.closeTo(1, 2) })
  expect(words).toBe('no change in 3 h: less often than every 1 h')
})

test.each([1, 0.96])('if a share of %p of the polls found a change, there is only a lower bound', (share) => {
  const { perHour, low, high, words } = rate(polls(1_000, 1_000 * share, 5_000))
  expect({ perHour, low, high }).toEqual({ perHour: null, low: expect.closeTo(720 * share, 6), high: null })
  expect(words).toBe(`at least every ${share === 1 ? '5' : '5.2'} s: nearly every poll found a change`)
})

test('few polls that all found a change say less than one a poll', () => {
  const { low } = rate(polls(2, 2, MINUTE_MS))
  expect(low).toBeLessThan(60)
  expect(low).toBeGreaterThan(0)
})

test('an event stream shows every change, and as many as it may', () => {
  const { perHour, low, high } = rate({ compared: 100, changed: 100, comparedMs: HOUR_MS, changedMs: 0 })
  expect(perHour).toBeCloseTo(100, 4)
  expect(low).toBeCloseTo(81.6, 0)
  expect(high).toBeCloseTo(121, 0)
})

test('the same source has nearly the same rank at any interval', () => {
  const random = mulberry32(7)
  const changes = poisson(random, 5_000)
  const ranks = [500, 5_000, 20_000].map((ms) =>
    rankOf((estimateRate(polled(changes, ms, random)) as Estimate).perMs),
  )
  expect(Math.max(...ranks) - Math.min(...ranks)).toBeLessThan(5)
})

test('longer intervals miss more changes, and none is missed by polls in between', () => {
  expect(missedShare(0, MINUTE_MS)).toBe(0)
  expect(missedShare(1 / MINUTE_MS, 1)).toBeLessThan(0.001)
  // 1 − (1 − e^−1) / 1
  expect(missedShare(1 / MINUTE_MS, MINUTE_MS)).toBeCloseTo(Math.exp(-1), 6)
  expect(missedShare(1 / MINUTE_MS, 100 * MINUTE_MS)).toBeCloseTo(0.99, 2)
})

describe('in words', () => {
  test.each<[ms: number, shortestMs: number, longestMs: number, words: string]>([
    [5 * MINUTE_MS, 3 * MINUTE_MS, 8 * MINUTE_MS, 'about every 5 min (3 to 8)'],
    [50_000, 30_000, 2 * MINUTE_MS, 'about every 50 s (30 s to 2 min)'],
    [86_400_000, 20 * HOUR_MS, 2 * 86_400_000, 'about every 1 day (20 h to 2 days)'],
    [59_900, 58_000, 61_000, 'about every 1 min (58 s to 1 min)'],
  ])('%p ms, from %p to %p, is "%s"', (ms, shortestMs, longestMs, words) => {
    expect(inWords(ms, shortestMs, longestMs)).toBe(words)
  })

  test.each<[ms: number, text: string]>([
    [0, '0 s'],
    [4, '4 ms'],
    [999, '1 s'],
    [1_234, '1.2 s'],
    [59_700, '1 min'],
    [5_400_000, '1.5 h'],
  ])('a period of %p ms is %p', (ms, text) => {
    expect(period(ms)).toBe(text)
  })

  test('briefly, for a table', () => {
    const of = (estimate: Estimate) => briefly(estimate, estimate.observedMs)
    expect(of(rate(polls(180, 0, MINUTE_MS)))).toBe('none in 3 h')
    expect(of(rate(polls(1_000, 500, 7_000)))).toBe('every 10 s')
    expect(of(rate(polls(1_000, 1_000, 6_000)))).toBe('≤ 6 s')
  })
})
