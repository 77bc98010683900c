import { expect, test } from 'bun:test'
import { isPatch, type Json, type PatchOperation } from '../../src/core/documents/document.ts'
import { patch } from '../../src/core/documents/patch.ts'

const DOCUMENT = '{"a":{"b":1},"list":[1,2,3],"text":"t","":0,"x/y":{"~":1}}'

test.each<[string, string, string]>([
  ['add a member', '[{"op":"add","path":"/a/c","value":null}]', '{"b":1,"c":null}'],
  ['replace', '[{"op":"replace","path":"/a/b","value":[2]}]', '{"b":[2]}'],
  ['remove', '[{"op":"remove","path":"/a/b"}]', '{}'],
  [
    'test, then replace',
    '[{"op":"test","path":"/a/b","value":1},{"op":"replace","path":"/a/b","value":2}]',
    '{"b":2}',
  ],
  ['move', '[{"op":"move","from":"/text","path":"/a/t"}]', '{"b":1,"t":"t"}'],
  ['copy', '[{"op":"copy","from":"/list","path":"/a/l"}]', '{"b":1,"l":[1,2,3]}'],
  ['escaped keys', '[{"op":"copy","from":"/x~1y/~0","path":"/a/n"}]', '{"b":1,"n":1}'],
  ['an empty key', '[{"op":"move","from":"/","path":"/a/e"}]', '{"b":1,"e":0}'],
  [
    'a member that is called as one that objects inherit',
    '[{"op":"add","path":"/a/toString","value":1}]',
    '{"b":1,"toString":1}',
  ],
  [
    'what an earlier operation made',
    '[{"op":"add","path":"/a/n","value":{}},{"op":"add","path":"/a/n/m","value":1}]',
    '{"b":1,"n":{"m":1}}',
  ],
])('operations are applied: %s', (_what, operations, a) => {
  const patched = patch(JSON.parse(DOCUMENT), JSON.parse(operations)) as { a: Json }
  expect(JSON.stringify(patched.a)).toBe(a)
})

test.each<[string, string, string]>([
  ['at an index', '[{"op":"add","path":"/list/1","value":9}]', '[1,9,2,3]'],
  ['at the end', '[{"op":"add","path":"/list/-","value":9}]', '[1,2,3,9]'],
  ['at the index after the last', '[{"op":"add","path":"/list/3","value":9}]', '[1,2,3,9]'],
  ['to the end', '[{"op":"move","from":"/list/0","path":"/list/2"}]', '[2,3,1]'],
  ['to the end, by its name', '[{"op":"move","from":"/list/0","path":"/list/-"}]', '[2,3,1]'],
])('items are put %s', (_what, operations, list) => {
  const patched = patch(JSON.parse(DOCUMENT), JSON.parse(operations)) as { list: Json }
  expect(JSON.stringify(patched.list)).toBe(list)
})

test('the whole document can be replaced, and be anything', () => {
  expect(patch(JSON.parse(DOCUMENT), [{ op: 'replace', path: '', value: 1 }])).toBe(1)
  expect(patch(1, [{ op: 'add', path: '', value: null }])).toBeNull()
  expect(patch([1], [])).toEqual([1])
})

test('neither the document nor the operations change, and what is not touched is shared', () => {
  const document = JSON.parse('{"a":{"b":[{"c":1},{"d":2}]},"e":{"f":[3]},"g":{}}')
  const operations: PatchOperation[] = [
    { op: 'add', path: '/g/h', value: { i: [4] } },
    { op: 'add', path: '/g/h/i/0', value: 5 },
    { op: 'move', from: '/a/b/1', path: '/g/moved' },
    { op: 'replace', path: '/g/moved/d', value: 6 },
    { op: 'copy', from: '/e/f', path: '/copied' },
    { op: 'add', path: '/copied/-', value: 7 },
    { op: 'remove', path: '/a/b/0/c' },
  ]
  const before = JSON.stringify([document, operations])
  const patched = patch(document, operations) as { e: Json }
  expect(JSON.stringify(patched)).toBe(
    '{"a":{"b":[{}]},"e":{"f":[3]},"g":{"h":{"i":[5,4]},"moved":{"d":6}},"copied":[3,7]}',
  )
  expect(JSON.stringify([document, operations])).toBe(before)
  expect(patched.e).toBe(document.e)
})

/** Patches in shape that no document like the one above takes.  */
const BAD_PATCHES: [what: string, operation: string][] = [
  ['a removal of nothing', '{"op":"remove","path":"/missing"}'],
  ['a replacement of nothing', '{"op":"replace","path":"/missing","value":1}'],
  ['an addition to nothing', '{"op":"add","path":"/missing/deeper","value":1}'],
  ['an addition to a text', '{"op":"add","path":"/text/0","value":1}'],
  ['an addition without a value', '{"op":"add","path":"/a/c"}'],
  ['a replacement without a value', '{"op":"replace","path":"/a/b"}'],
  ['a move from nothing', '{"op":"move","from":"/missing","path":"/c"}'],
  ['a move without a from', '{"op":"move","path":"/c"}'],
  ['a move into itself', '{"op":"move","from":"/a","path":"/a/b"}'],
  ['a copy from nothing', '{"op":"copy","from":"/missing","path":"/c"}'],
  ['a test that fails', '{"op":"test","path":"/a/b","value":2}'],
  ['a test of nothing', '{"op":"test","path":"/missing","value":1}'],
  ['a path without a slash', '{"op":"replace","path":"a","value":1}'],
  ['a path with a bad escape', '{"op":"add","path":"/a/~2","value":1}'],
  ['a from with a bad escape', '{"op":"copy","from":"/x~2y","path":"/c"}'],
  ['an index beyond the end', '{"op":"add","path":"/list/4","value":1}'],
  ['a move beyond the end, once it is taken out', '{"op":"move","from":"/list/0","path":"/list/3"}'],
  ['a replacement at the end', '{"op":"replace","path":"/list/3","value":1}'],
  ['a removal of the item after the last', '{"op":"remove","path":"/list/-"}'],
  ['an index that begins with 0', '{"op":"add","path":"/list/01","value":1}'],
  ['an index without digits', '{"op":"add","path":"/list/","value":1}'],
  ['an index below 0', '{"op":"add","path":"/list/-1","value":1}'],
  ['an index that is a name', '{"op":"replace","path":"/list/length","value":0}'],
  ['a removal of what objects inherit', '{"op":"remove","path":"/toString"}'],
  ['a replacement of what objects inherit', '{"op":"replace","path":"/constructor","value":1}'],
  ['a move of what objects inherit', '{"op":"move","from":"/constructor","path":"/c"}'],
  ['a copy of what objects inherit', '{"op":"copy","from":"/a/valueOf","path":"/c"}'],
  ['an addition to what objects inherit', '{"op":"add","path":"/__proto__/polluted","value":1}'],
  ['another one', '{"op":"add","path":"/constructor/prototype/polluted","value":1}'],
]

test.each(BAD_PATCHES)('%s is refused, and the document stays as it was', (_what, operation) => {
  const document = JSON.parse(DOCUMENT)
  const operations = JSON.parse(`[{"op":"add","path":"/a/tried","value":1},${operation}]`)
  expect(isPatch(operations)).toBe(true)
  expect(() => patch(document, operations)).toThrow()
  expect(JSON.stringify(document)).toBe(DOCUMENT)
  expect('polluted' in {}).toBe(false)
})

test('operations stay as they were, so that their text can be stored afterwards', () => {
  const operations: PatchOperation[] = [
    { op: 'add', path: '/new', value: [] },
    { op: 'add', path: '/new/0', value: 1 },
    { op: 'add', path: '/new/0', value: 2 },
  ]
  const text = JSON.stringify(operations)
  const patched = patch({}, operations)
  expect(patched).toEqual({ new: [2, 1] })
  expect(JSON.stringify(operations)).toBe(text)
  expect(patch(patch({}, operations), [{ op: 'remove', path: '/new/0' }])).toEqual({ new: [1] })
  expect(patched).toEqual({ new: [2, 1] })
})
