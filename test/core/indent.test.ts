import { expect, test } from 'bun:test'
import { indentJson } from '../../src/core/documents/indent.ts'
import { ODD_KEYS, RandomDocuments } from './random-documents.ts'
import { seeded } from './seeded.ts'

const documents = new RandomDocuments(seeded('indent.test.ts'), ODD_KEYS)

test('JSON of any kind is indented as JSON.stringify does it', () => {
  for (let count = 0; count < 2_000; count++) {
    const document = documents.document()
    const indented = indentJson(JSON.stringify(document), 1_000_000)
    expect(indented).toEqual({ text: JSON.stringify(document, null, 2), cut: false })
  }
})

test('numbers stay digit for digit, and white space that was there goes', () => {
  const text = '{ "n":\t12345678901234567890,\r\n"m":[ 1e400 ,-0.10000000000000001 ] }'
  expect(indentJson(text, 1_000).text).toBe(
    '{\n  "n": 12345678901234567890,\n  "m": [\n    1e400,\n    -0.10000000000000001\n  ]\n}',
  )
})

test.each<[string, string, string]>([
  ['a text', `["${'x'.repeat(200)}"]`, `[\n  "${'x'.repeat(90)}`],
  ['an escape', `["${'\\n'.repeat(200)}"]`, `[\n  "${'\\n'.repeat(40)}`],
  ['what nests deeply', '['.repeat(1_000_000), '[\n  [\n    ['],
  ['many members', `[${'1,'.repeat(200)}1]`, '[\n  1,\n  1,'],
])('%s is cut at the bound, and said to be', (_what, text, begin) => {
  const indented = indentJson(text, 100)
  expect(indented.cut).toBe(true)
  expect(indented.text.length).toBeLessThanOrEqual(100)
  expect(indented.text).toStartWith(begin)
})

test('escapes up to the bound that pages have are read', () => {
  const text = `"${'\\"'.repeat(32_000)}"`
  expect(indentJson(text, 65_536)).toEqual({ text, cut: false })
})
