import { expect, test } from 'bun:test'
import { diff } from '../../src/core/documents/diff.ts'
import { canonicalJson, type Json } from '../../src/core/documents/document.ts'
import { patch } from '../../src/core/documents/patch.ts'
import { changes } from './arbitraries.ts'
import { SHAPES, versionsOf } from './changing-documents.ts'
import { Properties } from './property.ts'
import { INHERITED_KEYS, ODD_KEYS } from './random-documents.ts'
import { applyByTheBook } from './rfc6902.ts'
import { seeded } from './seeded.ts'

const random = seeded('core/diff')
const properties = new Properties('core/diff')

const story = (title: string, votes: number) => ({ title: `${title} `.repeat(5), link: `/${title}`, votes })

test.each<[string, Json, Json, readonly string[], Json]>([
  [
    'an item without an identity that changes under a new one',
    [story('a', 1), story('b', 1), story('c', 1)],
    [story('new', 0), story('a', 2), story('b', 1)],
    [],
    [
      { op: 'remove', path: '/2' },
      { op: 'add', path: '/0', value: story('new', 0) },
      { op: 'replace', path: '/1/votes', value: 2 },
    ],
  ],
  [
    'rows that all change, and one more at the end',
    [story('a', 1), story('b', 1), story('c', 1)],
    [story('a', 2), story('b', 3), story('c', 4), story('d', 0)],
    [],
    [
      { op: 'add', path: '/3', value: story('d', 0) },
      { op: 'replace', path: '/0/votes', value: 2 },
      { op: 'replace', path: '/1/votes', value: 3 },
      { op: 'replace', path: '/2/votes', value: 4 },
    ],
  ],
  [
    'a row in the place of another',
    [{ id: 1, name: 'one', from: 'here' }],
    [{ id: 2, name: 'two', from: 'there' }],
    [],
    [{ op: 'replace', path: '/0', value: { id: 2, name: 'two', from: 'there' } }],
  ],
  [
    'a row that has a new identity and little else',
    [{ id: 1, name: 'a rather long name', from: 'where it always was', at: 1 }],
    [{ id: 2, name: 'a rather long name', from: 'where it always was', at: 1 }],
    [],
    [{ op: 'replace', path: '/0/id', value: 2 }],
  ],
  [
    'two rows that change places, one of which changes',
    [
      { k: 'a', v: 1 },
      { k: 'b', v: 1 },
      { k: 'c', v: 1 },
    ],
    [
      { k: 'c', v: 2 },
      { k: 'a', v: 1 },
      { k: 'b', v: 1 },
    ],
    ['k'],
    [
      { op: 'move', from: '/2', path: '/0' },
      { op: 'replace', path: '/0/v', value: 2 },
    ],
  ],
  [
    'a window over numbers that repeat',
    [5, 1, 5, 1, 7, 5],
    [1, 5, 1, 7, 5, 9],
    [],
    [
      { op: 'remove', path: '/0' },
      { op: 'add', path: '/5', value: 9 },
    ],
  ],
])('%s takes a short patch', (_what, from, to, keys, operations) => {
  expect(diff(from, to, keys)).toEqual(operations as never)
})

test.each(SHAPES)('a %s that changes step by step is followed by the book, for less than it is', (shape) => {
  for (const key of ['id', 'slug']) {
    const versions = versionsOf(shape, 3_000, 20, random, key)
    for (const [at, to] of versions.slice(1).entries()) {
      const from = versions[at] as Json
      const text = JSON.stringify(diff(from, to, ['slug', 'id']))
      expect(canonicalJson(applyByTheBook(from, text))).toBe(canonicalJson(to))
      // An id that isn't known makes no more of it than the likeness of rows does.
      expect(JSON.stringify(diff(from, to)).length).toBeLessThan(1.5 * text.length + 100)
      expect(text.length).toBeLessThan(0.7 * JSON.stringify(to).length)
    }
  }
})

test('a nested member called constructor is removed like any other', () => {
  const from = { constructor: { prototype: 1, a: 1 } } as unknown as Json
  const to = { constructor: { a: 1 } } as unknown as Json
  expect(patch(from, diff(from, to))).toEqual(to)
})

test('members with the names of inherited properties are compared like any other', () => {
  const keys = [...ODD_KEYS, ...INHERITED_KEYS.filter((key) => key !== '__proto__')]
  properties.check(changes(keys), ({ from, to }) => {
    expect(canonicalJson(patch(from, diff(from, to)))).toBe(canonicalJson(to))
  })
})
