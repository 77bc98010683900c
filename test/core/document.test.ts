import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { diff } from '../../src/core/documents/diff.ts'
import { canonicalJson, hashDocument, isPatch, type Json } from '../../src/core/documents/document.ts'
import { parseJson, stringifyJson } from '../../src/core/documents/json.ts'
import { patch } from '../../src/core/documents/patch.ts'
import { Work } from '../../src/core/documents/work.ts'
import { changes, documents } from './arbitraries.ts'
import { Properties } from './property.ts'
import { INHERITED_KEYS, ODD_KEYS } from './random-documents.ts'
import { applyByTheBook } from './rfc6902.ts'
import { mulberry32, type Random } from './seeded.ts'

const properties = new Properties('core/document')

test.each<[string, string, string]>([
  ['members in order of their keys', '{"b":1,"a":2,"":3}', '{"":3,"a":2,"b":1}'],
  ['no white space', ' { "a" : [ 1 , 2 ] } ', '{"a":[1,2]}'],
  [
    'nested members in order',
    '[{"b":{"d":1,"c":2},"a":[{"z":1,"y":2}]}]',
    '[{"a":[{"y":2,"z":1}],"b":{"c":2,"d":1}}]',
  ],
  ['items as they came', '[3,1,2]', '[3,1,2]'],
  [
    'keys by UTF-16 units, as RFC 8785 says',
    '{"\\uFB33":1,"😀":2,"ö":3,"1":4,"\\r":5}',
    '{"\\r":5,"1":4,"ö":3,"😀":2,"\uFB33":1}',
  ],
  ['keys that look like numbers as text', '{"10":1,"9":2}', '{"10":1,"9":2}'],
  ['an inherited key', '{"b":1,"__proto__":{"y":1,"x":2}}', '{"__proto__":{"x":2,"y":1},"b":1}'],
  ['unicode as it is', '"z\\u0142 \\ud83d\\ude00 \\u2028"', '"zł 😀 \u2028"'],
  [
    'control characters and half characters escaped',
    '"\\u0000\\u001f\\n\\ud800"',
    '"\\u0000\\u001f\\n\\ud800"',
  ],
  ['minus zero as zero', '[-0,-0.0]', '[0,0]'],
  ['numbers in their shortest form', '[1e21,1E2,1.50,1e-7,0.000001]', '[1e+21,100,1.5,1e-7,0.000001]'],
  [
    'numbers that a double cannot hold as they came',
    '{"b":1e400,"a":-12345678901234567890}',
    '{"a":-12345678901234567890,"b":1e400}',
  ],
  ['empty containers', '{"a":{},"b":[]}', '{"a":{},"b":[]}'],
  ['null', 'null', 'null'],
  ['a toJSON member', '{"toJSON":1}', '{"toJSON":1}'],
])('canonical JSON has %s', (_what, text, canonical) => {
  expect(canonicalJson(parseJson(text))).toBe(canonical)
})

test('the hash is that of the canonical text, in UTF-8', () => {
  expect(hashDocument({ b: 'ł', a: 1 })).toBe(
    new Bun.CryptoHasher('sha256').update(Buffer.from('{"a":1,"b":"ł"}', 'utf8')).digest('hex'),
  )
})

test('documents that differ only in member order have the same hash', () => {
  const inputs = fc.record({ document: documents([...ODD_KEYS, ...INHERITED_KEYS]), salt: fc.nat() })
  properties.check(inputs, ({ document, salt }) => {
    expect(hashDocument(reordered(document, mulberry32(salt)))).toBe(hashDocument(document))
  })
})

test.each<[Json, Json]>([
  [
    [1, 2],
    [2, 1],
  ],
  [{ a: 1 }, { a: '1' }],
  [{ a: null }, {}],
  [[], {}],
  [[[]], []],
  [{ a: { b: 1 } }, { 'a.b': 1 }],
  ['a\u0301', '\u00e1'],
])('%j and %j have different hashes', (one, other) => {
  expect(hashDocument(one)).not.toBe(hashDocument(other))
})

test.each<[unknown, boolean]>([
  [[], true],
  [[{ op: 'add', path: '', value: 1 }], true],
  [[{ op: 'remove', path: '/a' }], true],
  [[{ op: 'replace', path: '/a', value: null }], true],
  [[{ op: 'move', path: '/a', from: '/b' }], true],
  [[{ op: 'copy', path: '/a', from: '/b' }], true],
  [[{ op: 'test', path: '/a', value: 1 }], true],
  [[{ op: 'add', path: '/a', value: 1, note: 'more' }], true],
  [[{ op: 'add', path: '/a', value: 1 }, { op: 'remove' }], false],
  [[{ op: 'Add', path: '/a' }], false],
  [[{ op: 'adds', path: '/a' }], false],
  [[{ op: '_get', path: '/a' }], false],
  [[{ op: ['add'], path: '/a' }], false],
  [[{ op: 'add', path: ['/a'] }], false],
  [[{ op: 'add' }], false],
  [[{ path: '/a' }], false],
  [[{}], false],
  [[null], false],
  [[['add', '/a']], false],
  [['add'], false],
  [[1, 2], false],
  [{ op: 'add', path: '/a', value: 1 }, false],
  [{}, false],
  [{ length: 0 }, false],
  ['[]', false],
  [null, false],
  [undefined, false],
])('%j has the shape of a patch: %p', (value, expected) => {
  expect(isPatch(value)).toBe(expected)
})

test.each<[string, Json, Json, readonly string[], unknown]>([
  ['a member that changes', { a: 1, b: 2 }, { a: 1, b: 3 }, [], [{ op: 'replace', path: '/b', value: 3 }]],
  [
    'a row before the others',
    [{ id: 1 }, { id: 2 }],
    [{ id: 0 }, { id: 1 }, { id: 2 }],
    [],
    [{ op: 'add', path: '/0', value: { id: 0 } }],
  ],
  [
    'a row that changes',
    [
      { id: 1, v: 1 },
      { id: 2, v: 1 },
    ],
    [
      { id: 1, v: 1 },
      { id: 2, v: 2 },
    ],
    [],
    [{ op: 'replace', path: '/1/v', value: 2 }],
  ],
  [
    'a row that moves',
    [{ id: 1 }, { id: 2 }, { id: 3 }],
    [{ id: 3 }, { id: 1 }, { id: 2 }],
    [],
    [{ op: 'move', from: '/2', path: '/0' }],
  ],
  [
    'rows that a named key tells apart',
    [
      { id: 1, k: 'a' },
      { id: 1, k: 'b' },
    ],
    [{ id: 1, k: 'b' }],
    ['k'],
    [{ op: 'remove', path: '/0' }],
  ],
  [
    'keys to escape',
    { 'a/b': 1, 'm~n': 1 },
    { 'a/b': 2, 'm~n': 1 },
    [],
    [{ op: 'replace', path: '/a~1b', value: 2 }],
  ],
  ['nothing', { a: [1, { b: null }] }, { a: [1, { b: null }] }, [], []],
])('%s is the whole patch', (_what, from, to, keys, operations) => {
  expect(diff(from, to, keys)).toEqual(operations as never)
})

test('patches of random changes lead from one document to the other, by the RFC, and modify neither', () => {
  // Without members that are called like inherited ones: these the differ overlooks.
  const others = fc.record({ from: documents(ODD_KEYS), to: documents(ODD_KEYS) })
  const inputs = fc.oneof({ weight: 9, arbitrary: changes(ODD_KEYS) }, { weight: 1, arbitrary: others })
  const check = ({ from, to }: { from: Json; to: Json }) => {
    const texts = JSON.stringify([from, to])
    const operations = diff(from, to)
    expect(isPatch(operations)).toBe(true)
    expect(hashDocument(patch(from, operations))).toBe(hashDocument(to))
    expect(hashDocument(applyByTheBook(from, stringifyJson(operations)))).toBe(hashDocument(to))
    expect(JSON.stringify([from, to])).toBe(texts)
  }
  properties.check(inputs, check, 2_000)
})

test('a comparison stops when its steps are used up, and not before', () => {
  const from = Array.from({ length: 100 }, (_, id) => ({ id, more: { v: 0 } }))
  const to = from.map(({ id }) => ({ id, more: { v: 1 } }))
  const work = new Work()
  expect(diff(from, to, [], work).length).toBe(100)
  const steps = Math.ceil(work.spent)
  expect(diff(from, to, [], new Work(steps)).length).toBe(100)
  expect(() => diff(from, to, [], new Work(steps - 1))).toThrow(`it takes more than ${steps - 1} steps`)
})

function reordered(value: Json, random: Random): Json {
  if (Array.isArray(value)) return value.map((member) => reordered(member, random))
  if (typeof value !== 'object' || value === null) return value
  const members = Object.entries(value).map(([key, member]) => [key, reordered(member, random)] as const)
  return Object.fromEntries(members.sort(() => random() - 0.5))
}
