import { expect, test } from 'bun:test'
import { diff } from '../../src/core/documents/diff.ts'
import { hashDocument, type Json } from '../../src/core/documents/document.ts'
import { patch } from '../../src/core/documents/patch.ts'
import { applyByTheBook } from './rfc6902.ts'
import { integer, pick, seeded, several } from './seeded.ts'

const random = seeded('core/long-arrays')

const row = (id: number, v = 0) => ({ id, v })
const numbers = (length: number, first = 0) => Array.from({ length }, (_, index) => first + index)

test('a long array that changes at both ends takes no table of its length squared', () => {
  const before = numbers(60_000)
  const after = [-1, ...before.slice(0, -1)]
  expect(diff(before, after)).toEqual([
    { op: 'remove', path: '/59999' },
    { op: 'add', path: '/0', value: -1 },
  ])
})

test('a long list of rows is compared row by row', () => {
  const before = numbers(20_000).map((id) => row(id))
  const after = [
    ...before.slice(0, 7),
    row(-1),
    ...before.slice(7, 19_000),
    row(19_000, 1),
    ...before.slice(19_001),
  ]
  expect(diff(before, after)).toEqual([
    { op: 'add', path: '/7', value: row(-1) },
    { op: 'replace', path: '/19001/v', value: 1 },
  ])
})

test('rows are told apart by the keys that the stream names', () => {
  const before = numbers(2_000).map((k) => ({ k, v: 0 }))
  const after = [...before.slice(1, -1), { k: 1_999, v: 1 }]
  expect(diff(before, after, ['k'])).toEqual([
    { op: 'remove', path: '/0' },
    { op: 'replace', path: '/1998/v', value: 1 },
  ])
})

test('rows without an identity are matched by content, and changed ones by position', () => {
  const before = numbers(2_000).map((at) => ({ at, v: { w: 0, x: 'x'.repeat(9) } }))
  const after = [...structuredClone(before).slice(1), { at: 2_000, v: { w: 0, x: '' } }]
  ;(after[500] as { v: { w: number } }).v.w = 1
  expect(diff(before, after)).toEqual([
    { op: 'remove', path: '/0' },
    { op: 'add', path: '/1999', value: { at: 2_000, v: { w: 0, x: '' } } },
    { op: 'replace', path: '/500/v/w', value: 1 },
  ])
})

test('numbers that change here and there are replaced where they stand', () => {
  const before = numbers(30_000)
  const after = before.map((number) => (number % 9 === 0 ? -1 : number))
  const operations = diff(before, after)
  expect(operations.length).toBe(Math.ceil(30_000 / 9))
  expect(new Set(operations.map(({ op }) => op))).toEqual(new Set(['replace']))
  expect(patch(before, operations)).toEqual(after)
})

test('nested long arrays are compared too', () => {
  const before = { deep: [{ id: 1, list: numbers(5_000) }] }
  const after = { deep: [{ id: 1, list: [...numbers(5_000).slice(1), 7] }] }
  expect(diff(before, after)).toEqual([
    { op: 'remove', path: '/deep/0/list/0' },
    { op: 'add', path: '/deep/0/list/4999', value: 7 },
  ])
})

test.each<[string, Json[], Json[]]>([
  ['the same', numbers(2_000), numbers(2_000)],
  ['nothing in common', numbers(2_000), numbers(2_000, 5_000)],
  ['the whole turned round', numbers(4_000), numbers(4_000).reverse()],
  [
    'rows turned round',
    numbers(3_000).map((id) => row(id)),
    numbers(3_000)
      .reverse()
      .map((id) => row(id, 1)),
  ],
  ['all one value, fewer of it', Array(3_000).fill(1), Array(1_000).fill(1)],
  ['a pattern, shifted', numbers(20_000).map((n) => n % 7), numbers(20_000).map((n) => (n + 3) % 7)],
  ['coin tosses', tosses(20_000), tosses(20_000)],
  ['a half that goes', numbers(40_000), numbers(20_000, 10_000)],
  [
    'half the rows a page further',
    numbers(3_000).map((id) => row(id)),
    numbers(3_000, 1_500).map((id) => row(id)),
  ],
])('whatever two long arrays hold, the patch leads from one to the other: %s', (_what, before, after) => {
  const operations = diff(before, after)
  expect(hashDocument(patch(before, operations))).toBe(hashDocument(after))
})

test('random edits of long arrays lead there by the book', () => {
  for (let round = 0; round < 60; round++) {
    const before = numbers(1_100).map(() => randomRow())
    const after = structuredClone(before)
    for (let edit = integer(random, 12); edit >= 0; edit--) {
      const at = integer(random, after.length)
      after.splice(at, integer(random, 3), ...several(random, 2, randomRow))
      after.splice(integer(random, after.length), 0, ...after.splice(at, 1))
    }
    const text = JSON.stringify(diff(before, after))
    expect(hashDocument(applyByTheBook(before, text))).toBe(hashDocument(after))
    expect(text.length).toBeLessThan(JSON.stringify(after).length)
  }
})

function randomRow(): Json {
  return pick<Json>(random, [
    row(integer(random, 2_000), integer(random, 3)),
    { v: integer(random, 50), more: 'x'.repeat(30) },
    [integer(random, 5)],
    integer(random, 20),
    `text ${integer(random, 200)}`,
    null,
  ])
}

function tosses(length: number): Json[] {
  return Array.from({ length }, () => random() < 0.5)
}
