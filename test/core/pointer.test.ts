import { expect, test } from 'bun:test'
import type { Json } from '../../src/core/documents/document.ts'
import { omit, type Pointer, parsePointer, select } from '../../src/core/documents/pointer.ts'
import { documents } from './arbitraries.ts'
import { Properties } from './property.ts'
import { INHERITED_KEYS, ODD_KEYS } from './random-documents.ts'

const properties = new Properties('core/pointer')

/** The document of RFC 6901, section 5. */
const EXAMPLE = JSON.parse(
  '{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\\\j":5,"k\\"l":6," ":7,"m~n":8}',
)

const at = (document: unknown, text: string) => select(document, parsed(text))

test.each<[string, unknown]>([
  ['', EXAMPLE],
  ['/foo', ['bar', 'baz']],
  ['/foo/0', 'bar'],
  ['/', 0],
  ['/a~1b', 1],
  ['/c%d', 2],
  ['/e^f', 3],
  ['/g|h', 4],
  ['/i\\j', 5],
  ['/k"l', 6],
  ['/ ', 7],
  ['/m~0n', 8],
])('the pointer %p of RFC 6901 selects its value', (pointer, value) => {
  expect(at(EXAMPLE, pointer)).toEqual(value)
})

test.each<[string, Pointer | undefined]>([
  ['//', ['', '']],
  ['/~01', ['~1']],
  ['/~10', ['/0']],
  ['/~0~1', ['~/']],
  ['/a//b', ['a', '', 'b']],
  ['a', undefined],
  [' /a', undefined],
  ['#/a', undefined],
  ['/~', undefined],
  ['/~2', undefined],
  ['/a~', undefined],
  ['/~/a', undefined],
])('%p is read as %p', (text, pointer) => {
  expect(parsePointer(text)).toEqual(pointer)
})

const DOCUMENT = JSON.parse(
  '{"list":["a","b"],"null":null,"text":"abc","own":{"__proto__":1,"constructor":2}}',
)

test.each([
  '/missing',
  '/missing/deeper',
  '/list/2',
  '/list/-',
  '/list/00',
  '/list/01',
  '/list/-1',
  '/list/+1',
  '/list/1.0',
  '/list/1e0',
  '/list/',
  '/list/length',
  '/list/99999999999999999999',
  '/null/a',
  '/text/0',
  '/text/length',
  '/__proto__',
  '/constructor',
  '/constructor/name',
  '/list/constructor',
  '/own/toString',
])('%p selects nothing', (pointer) => {
  expect(at(DOCUMENT, pointer)).toBeUndefined()
})

test('members with inherited names are selected only if the document has them', () => {
  expect(at(DOCUMENT, '/own/__proto__')).toBe(1)
  expect(at(DOCUMENT, '/own/constructor')).toBe(2)
  expect(at(DOCUMENT, '/null')).toBeNull()
})

test.each<[string, string[], string, string]>([
  ['a member', ['/a'], '{"a":1,"b":2}', '{"b":2}'],
  ['a deep member', ['/a/b/c'], '{"a":{"b":{"c":1,"d":2}}}', '{"a":{"b":{"d":2}}}'],
  ['a member whose name is escaped', ['/~1~0'], '{"/~":1,"b":2}', '{"b":2}'],
  ['a member without a name', ['/'], '{"":1,"b":2}', '{"b":2}'],
  ['a member called __proto__', ['/__proto__'], '{"__proto__":1,"b":2}', '{"b":2}'],
  [
    'nothing that is inherited',
    ['/__proto__/hasOwnProperty', '/constructor', '/toString'],
    '{"b":2}',
    '{"b":2}',
  ],
  ['an item', ['/1'], '[1,2,3]', '[1,3]'],
  ['items, counted as the document came', ['/0', '/1'], '[1,2,3]', '[3]'],
  ['items, in whatever order they are named', ['/2', '/0', '/2'], '[1,2,3]', '[2]'],
  ['parts of items that another pointer takes out before', ['/0', '/1/x'], '[1,{"x":1,"y":2}]', '[{"y":2}]'],
  ['a part, named before what holds it', ['/0/x', '/0'], '[{"x":1},2]', '[2]'],
  ['every member', ['/*'], '{"a":1,"b":2}', '{}'],
  ['every item', ['/*'], '[1,2,3]', '[]'],
  [
    'a member of every item',
    ['/*/at'],
    '[{"at":1,"v":1},{"at":2},{"v":3},4,null]',
    '[{"v":1},{},{"v":3},4,null]',
  ],
  ['an item of every member', ['/*/0'], '{"a":[1,2],"b":[],"c":"text"}', '{"a":[2],"b":[],"c":"text"}'],
  ['every item of every item', ['/*/*'], '[[1],{"a":2},3]', '[[],{},3]'],
  [
    'members at every level below',
    ['/*/*/x'],
    '{"a":[{"x":1,"y":2}],"b":{"c":{"x":3}}}',
    '{"a":[{"y":2}],"b":{"c":{}}}',
  ],
  ['nothing where nothing is', ['/z', '/a/z', '/a/b/c'], '{"a":{"b":1}}', '{"a":{"b":1}}'],
  ['no item by a name or a bad index', ['/-', '/01', '/length', '/3', '/'], '[1,2,3]', '[1,2,3]'],
  ['nothing of what holds nothing', ['/a', '/*'], '"text"', '"text"'],
  ['not the whole document', [''], '{"a":1}', '{"a":1}'],
])('%s is left out', (_what, pointers, before, after) => {
  const document = JSON.parse(before)
  omit(document, pointers.map(parsed))
  expect(JSON.stringify(document)).toBe(after)
  expect('hasOwnProperty' in {}).toBe(true)
})

test('all selected items of a large array are removed', () => {
  const document = { rows: Array.from({ length: 50_000 }, (_, id) => ({ id, at: id })) }
  omit(document, [parsed('/rows/*/at'), parsed('/rows/0')])
  expect(document.rows.length).toBe(49_999)
  expect(Object.keys(document.rows[0] ?? {})).toEqual(['id'])
  omit(document, [parsed('/rows/*')])
  expect(document).toEqual({ rows: [] })
})

function parsed(text: string): Pointer {
  const pointer = parsePointer(text)
  if (pointer === undefined) throw new Error(`${text} isn't a pointer`)
  return pointer
}

test('every value of a document is selected by its own pointer, and is gone once that is left out', () => {
  properties.check(documents([...ODD_KEYS, ...INHERITED_KEYS]), (document) => {
    for (const { pointer, value } of values(document)) {
      const text = pointer.map((token) => `/${token.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
      expect(parsePointer(text)).toEqual(pointer)
      expect(select(document, pointer)).toBe(value)
      // To leave out "*" is to leave out everything beside it.
      if (pointer.length === 0 || pointer.includes('*')) continue
      const rest = structuredClone(document)
      omit(rest, [pointer])
      expect(values(rest)).toHaveLength(values(document).length - values(value).length)
    }
  })
})

/** All values in a document, itself included, with the tokens that lead to them. */
function values(document: Json, pointer: Pointer = []): { pointer: Pointer; value: Json }[] {
  if (typeof document !== 'object' || document === null) return [{ pointer, value: document }]
  const inner = Object.entries(document).flatMap(([key, value]) => values(value, [...pointer, key]))
  return [{ pointer, value: document }, ...inner]
}
