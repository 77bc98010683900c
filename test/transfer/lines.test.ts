import { expect, test } from 'bun:test'
import { RegistrationSchema } from '../../src/streams/registry/registration.ts'
import { MAX_LINES } from '../../src/transfer/bounds.ts'
import { FIELDS } from '../../src/transfer/fields.ts'
import { type Format, formatOf, readLines } from '../../src/transfer/lines.ts'
import { refusalOf } from './refusal.ts'

const NOTHING = { headers: {}, params: new Map() }
const read = async (text: string, format: Format) => Array.fromAsync(await readLines(text, format, NOTHING))
const OPENAPI = { openapi: '3.0.0', paths: {} }

test('a file can hold every field of a registration, and the id', () => {
  expect([...FIELDS].sort()).toEqual(['id', ...Object.keys(RegistrationSchema.properties)].sort() as never)
})

test.each<[what: string, text: string, type: string | null, format: Format]>([
  ['an array', '[]', null, 'json'],
  ['an object over lines', '{\n"streams": []}', null, 'json'],
  ['one registration', '{"url": "http://a"}', null, 'json'],
  ['an object a line', '{"url": "http://a"}\n{"url": "http://b"}', null, 'ndjson'],
  ['an object a line, the second of them bad', '{"url": "http://a"}\n{"url', null, 'ndjson'],
  ['field names', 'url,kind\nhttp://a,poll', null, 'csv'],
  ['one field name', 'url\r\nhttp://a', null, 'csv'],
  ['field names with semicolons', 'name;url\na;http://a', null, 'csv'],
  ['field names with tabs, quoted', '"name"\t"id"\na\t1', null, 'csv'],
  ['YAML', 'openapi: 3.1.0\npaths: {}', null, 'openapi'],
  ['YAML after a comment', '# Prices\nopenapi: 3.1.0', null, 'openapi'],
  ['what a form is said to be', '[]', 'application/x-www-form-urlencoded', 'json'],
  ['what a type says', '{}', 'application/x-ndjson; charset=utf-8', 'ndjson'],
  ['what a type says in capitals', 'a', 'Text/CSV', 'csv'],
  ['what the type of a document says', 'a', 'application/vnd.oai.openapi', 'openapi'],
  ['a type that says YAML', 'a', 'text/yaml', 'openapi'],
  ['a type that says JSON', 'a', 'application/json', 'json'],
])('%s is told by its looks or its type', (_what, text, type, format) => {
  expect(formatOf(text, type)).toBe(format)
})

test.each(['', 'hello', '<html></html>', 'curl,http://a', '\0\0'])('%j looks like nothing', async (text) => {
  expect(await refusalOf(() => formatOf(text, null))).toMatchObject({ code: 'bad_request', field: 'format' })
})

test('a list keeps its order, and what is in it is not judged', async () => {
  const list = [{ url: 'http://a' }, null, 7, ['x']]
  const lines = list.map((value, index) => ({ line: index + 1, value }))
  expect(await read(JSON.stringify(list), 'json')).toEqual(lines)
  expect(await read(JSON.stringify({ streams: list }), 'json')).toEqual(lines)
  expect(await read('{"url":"http://a"}', 'json')).toEqual([{ line: 1, value: { url: 'http://a' } }])
})

test('a JSON document that is OpenAPI is read as that', async () => {
  expect(await read(JSON.stringify(OPENAPI), 'json')).toEqual([])
})

test('lines of NDJSON are numbered as an editor numbers them; a bad one says so and the others are read', async () => {
  const lines = await read('\n{"url":"http://żółw"}\r\n\n{"url"\n"x"\n', 'ndjson')
  expect(lines).toMatchObject([
    { line: 2, value: { url: 'http://żółw' } },
    { line: 4, problem: { code: 'invalid_json' } },
    { line: 5, value: 'x' },
  ])
})

test('a key that is special to JavaScript is a key like any other', async () => {
  const [line] = await read('{"__proto__":{"url":"http://a"},"constructor":1}', 'ndjson')
  expect(Object.keys(line?.value as object)).toEqual(['__proto__', 'constructor'])
})

test.each<[what: string, text: string, format: Format, code: string, detail: RegExp]>([
  ['half an array', '[{"url":"http://a"}', 'json', 'invalid_json', /isn't JSON/],
  ['a number', '7', 'json', 'invalid_json', /Expected an array/],
  ['streams that are no list', '{"streams":7}', 'json', 'invalid_json', /Expected an array/],
  ['bad YAML', 'a: 1\nb: [1\nc: 2', 'openapi', 'bad_request', /isn't YAML/],
  ['YAML that multiplies itself', bomb(), 'openapi', 'bad_request', /isn't YAML/],
  ['YAML of great depth', '['.repeat(100_000), 'openapi', 'bad_request', /isn't YAML/],
  ['half a document', '{"openapi"', 'openapi', 'invalid_json', /isn't JSON/],
  ['a document that is none', 'a: 1', 'openapi', 'bad_request', /OpenAPI document of version 3/],
  ['a list as a document', '[1]', 'openapi', 'bad_request', /OpenAPI document of version 3/],
])('%s is refused', async (_what, text, format, code, detail) => {
  expect(await refusalOf(() => read(text, format))).toEqual({
    code,
    detail: expect.stringMatching(detail) as unknown as string,
  })
})

test('as many lines as there may be are read, and one more is refused', async () => {
  const most = `[${'1,'.repeat(MAX_LINES - 1)}1]`
  expect((await read(most, 'json')).length).toBe(MAX_LINES)
  expect((await refusalOf(() => read(`[1,${most.slice(1)}`, 'json'))).code).toBe('too_large')
})

/** Nine to the eighth texts, in aliases of aliases. */
function bomb(): string {
  const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x]']
  for (let index = 1; index < 9; index++) {
    lines.push(
      `a${index}: &a${index} [${Array(9)
        .fill(`*a${index - 1}`)
        .join(', ')}]`,
    )
  }
  return lines.join('\n')
}
