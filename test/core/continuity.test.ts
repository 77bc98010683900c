import { expect, test } from 'bun:test'
import {
  continuityOf,
  countOn,
  isCounting,
  isNumbered,
  type Numbering,
} from '../../src/core/judging/continuity.ts'

/** What a connection teaches that sends these IDs. */
const learn = (ids: readonly string[]) =>
  ids.slice(1).reduce<Numbering>((known, id, at) => countOn(known, ids[at] as string, id), {})
const count = (from: number, step: number, ids: number, name = (n: number) => String(n)) =>
  Array.from({ length: ids }, (_, at) => name(from + at * step))

test.each([
  ['one more than the last', count(1, 1, 12), '12', '13', 'follows'],
  ['one more, of a counter too young to be known as one', ['5'], '5', '6', 'follows'],
  ['a young counter that skips', ['5'], '5', '9', 'unknown'],
  ['a counter that begins again', count(1, 1, 12), '12', '1', 'unknown'],
  ['the same ID again', count(1, 1, 12), '12', '12', 'unknown'],
  ['a counter by two', count(0, 2, 12), '22', '24', 'follows'],
  ['two more, of a counter by one that is too young', count(1, 1, 5), '5', '7', 'unknown'],
  ['a number between the steps', count(0, 10, 12), '110', '115', 'unknown'],
  ['a step seen only once', ['1', '8'], '8', '15', 'unknown'],
  ['a counter with a prefix', count(1, 1, 12, (n) => `evt-${n}`), 'evt-12', 'evt-13', 'follows'],
  ['another prefix', count(1, 1, 12, (n) => `a-${n}`), 'a-12', 'b-13', 'unknown'],
  ['UUIDs', [], '3f2a-7c1d', '91b0-aa2e', 'unknown'],
  ['a number that a double cannot hold', [], '9007199254740993', '9007199254740994', 'follows'],
])('%s: %s', (_, seen, last, next, shown) => {
  expect(continuityOf(learn(seen), last, next)).toBe(shown as 'follows')
})

test.each([
  ['by one', count(1, 1, 12), '12', '20', { firstId: '13', lastId: '19', count: 7 }],
  ['by ten', count(0, 10, 12), '110', '150', { firstId: '120', lastId: '140', count: 3 }],
  [
    'padded',
    count(1, 1, 12, (n) => `n${String(n).padStart(4, '0')}`),
    'n0012',
    'n0015',
    { firstId: 'n0013', lastId: 'n0014', count: 2 },
  ],
])('IDs that a known counter left out are named: %s', (_, seen, last, next, missing) => {
  expect(continuityOf(learn(seen), last, next)).toEqual(missing)
})

test('an upstream counts after ten IDs at one step, and no longer once one is off', () => {
  expect(isCounting(learn(count(1, 1, 10)))).toBe(false)
  expect(isCounting(learn(count(1, 1, 11)))).toBe(true)
  expect(isCounting(learn([...count(1, 1, 11), '13']))).toBe(false)
  expect(isCounting(learn([...count(1, 1, 11), 'x']))).toBe(false)
})

test('only IDs that end in a number can show later that nothing is missing', () => {
  expect(['7', 'a7', 'a', undefined].map(isNumbered)).toEqual([true, true, false, false])
})
