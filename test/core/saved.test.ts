import { expect, test } from 'bun:test'
import { medianShares, networkSentence, savedSentence } from '../../src/core/saved.ts'
import { savedPercent } from '../../src/core/units.ts'

test.each<[number | null, string]>([
  [null, '–'],
  [0, '0.0%'],
  [0.7692, '76.9%'],
  [0.9999, '99.9%'],
  [1, '100.0%'],
  [-0.12, '−12.0%'],
  [-0.0001, '0.0%'],
  [-3.5, '−350.0%'],
])('a share of %p is %p', (share, text) => {
  expect(savedPercent(share)).toBe(text)
})

test('a loss is said plainly, on the network as well', () => {
  expect(savedSentence(0.694)).toBe('Streaming saves 69.4% compared with polling with gzip and validators.')
  expect(savedSentence(-0.12)).toBe('Streaming would cost 12.0% more than polling with gzip and validators.')
  expect(networkSentence(0.2)).toEndWith('it saves an estimated 20.0%.')
  expect(networkSentence(-0.2)).toEndWith('it would cost an estimated 20.0% more.')
})

test.each<[(number | null)[], number | null]>([
  [[], null],
  [[null], null],
  [[0.5], 0.5],
  [[0.9, -2, 0.5], 0.5],
  [[0.9, 0.5, null, 0.7, 0.1], 0.6],
])('the median of %j is %p: one stream doesn’t speak for all', (shares, expected) => {
  const median = medianShares(shares.map((share) => ({ plain: share, gzip: share, conditional: share })))
  expect(median.streams).toBe(shares.length)
  expect(median.conditional === null ? null : Number(median.conditional.toFixed(9))).toBe(expected)
})
