import { expect, test } from 'bun:test'
import { indentJson } from '../../src/core/documents/indent.ts'
import { documents } from './arbitraries.ts'
import { Properties } from './property.ts'
import { ODD_KEYS } from './random-documents.ts'

const properties = new Properties('indent.test.ts')

test('JSON is indented like JSON.stringify does it', () => {
  properties.check(documents(ODD_KEYS), (document) => {
    const indented = indentJson(JSON.stringify(document), 1_000_000)
    expect(indented).toEqual({ text: JSON.stringify(document, null, 2), cut: false })
  })
})

test('numbers stay digit for digit, and existing white space is replaced', () => {
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
])('%s is cut at the limit, and reported as cut', (_what, text, begin) => {
  const indented = indentJson(text, 100)
  expect(indented.cut).toBe(true)
  expect(indented.text.length).toBeLessThanOrEqual(100)
  expect(indented.text).toStartWith(begin)
})

test('escapes are handled up to the limit of pages', () => {
  const text = `"${'\\"'.repeat(32_000)}"`
  expect(indentJson(text, 65_536)).toEqual({ text, cut: false })
})
