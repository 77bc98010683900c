import { expect, test } from 'bun:test'
import { findArrays, suggestArrayKeys } from '../../src/core/documents/array-keys.ts'
import type { Json } from '../../src/core/documents/document.ts'

const rows = (...members: Record<string, Json>[]) => members

test.each<[what: string, document: Json, key: string | undefined]>([
  ['the usual key', rows({ id: 1, sku: 'a' }, { id: 2, sku: 'b' }), 'id'],
  ['a key whose name says so', rows({ price: 1, sku: 'a' }, { price: 2, sku: 'b' }), 'sku'],
  ['a name in camel case', rows({ productId: 1 }, { productId: 2 }), 'productId'],
  ['no key that two members share', rows({ sku: 'a', code: 1 }, { sku: 'a', code: 2 }), 'code'],
  ['no key that a member lacks', rows({ sku: 'a' }, { name: 'b' }), undefined],
  ['no value that only happens to differ', rows({ price: 1 }, { price: 2 }), undefined],
  ['no word that ends like a name', rows({ paid: 1 }, { paid: 2 }), undefined],
  ['no key that holds an object', rows({ id: { a: 1 } }, { id: { a: 2 } }), undefined],
  ['no key that everything inherits', rows({}, {}), undefined],
])('members are told apart by %s', (_what, document, key) => {
  expect(findArrays(document)).toEqual([{ path: '', members: 2, key }])
})

test.each<[what: string, document: Json]>([
  ['one member', [{ id: 1 }]],
  ['numbers', [1, 2]],
  ['arrays', [[1], [2]]],
  ['an object and null', [{ id: 1 }, null]],
  ['nothing', []],
  ['no array', { a: 1 }],
])('%s says nothing', (_what, document) => {
  expect(findArrays(document)).toEqual([])
})

test('arrays are found wherever they are, the nearest to the root first, and one for all of the same path', () => {
  const order = (sku: string) => ({ id: sku, 'lines/~': rows({ sku: `${sku}1` }, { sku: `${sku}2` }) })
  const document = { deep: { orders: [order('a'), order('b')] }, flat: rows({ id: 1 }, { id: 2 }) }
  expect(findArrays(document).map(({ path, key }) => [path, key])).toEqual([
    ['/flat', 'id'],
    ['/deep/orders', 'id'],
    ['/deep/orders/*/lines~1~0', 'sku'],
  ])
})

test('a suggestion holds the usual keys that are needed beside others, and is empty where they are enough', () => {
  const at = (key: string | undefined) => ({ path: '', members: 2, key })
  expect(suggestArrayKeys([at('id'), at('sku'), at(undefined), at('sku')])).toEqual(['id', 'sku'])
  expect(suggestArrayKeys([at('id'), at('_id')])).toEqual([])
  expect(suggestArrayKeys([at(undefined)])).toEqual([])
})

test('a document of any size takes a bounded look', () => {
  const wide = Array.from({ length: 200_000 }, (_, index) => ({ deep: [{ index }, { index }] }))
  expect(findArrays(wide as Json).length).toBeLessThanOrEqual(5)
  const deep = JSON.parse(`${'[{"a":'.repeat(5_000)}1${'}]'.repeat(5_000)}`) as Json
  expect(findArrays(deep)).toEqual([])
})
