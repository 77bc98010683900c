import { expect, test } from 'bun:test'
import { batched } from '../../src/core/batch.ts'

/** Doubles numbers, and keeps what it was given each time. */
function doubling(maxItems: number) {
  const given: (readonly number[])[] = []
  const double = batched(async (items: readonly number[]) => {
    given.push(items)
    if (items.includes(13)) throw new Error('unlucky')
    return items.map((item) => item * 2)
  }, maxItems)
  return { given, double }
}

test('calls of one turn go together, and each gets its own answer', async () => {
  const { given, double } = doubling(10)
  expect(await Promise.all([1, 2, 3].map(double))).toEqual([2, 4, 6])
  expect(given).toEqual([[1, 2, 3]])
})

test('no batch exceeds the most items; the rest form the next', async () => {
  const { given, double } = doubling(2)
  expect(await Promise.all([1, 2, 3, 4, 5].map(double))).toEqual([2, 4, 6, 8, 10])
  expect(given).toEqual([[1, 2], [3, 4], [5]])
})

test('all callers of a failed batch get its error, and the next batch runs', async () => {
  const { double } = doubling(2)
  const outcomes = await Promise.allSettled([1, 13, 3].map(double))
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'fulfilled'])
  expect(await double(4)).toBe(8)
})
