import { expect, test } from 'bun:test'
import { Problem } from '../../src/errors.ts'
import { checkChange, checkRegistration } from '../../src/streams/registry/registration.ts'

const URL_ = 'https://api.example.com/v1?q=1'
const many = <T>(count: number, make: (index: number) => T) =>
  Array.from({ length: count }, (_, index) => make(index))

/** A registration with everything, each at a bound. */
const FULL = {
  url: URL_,
  kind: 'poll',
  name: 'n'.repeat(200),
  intervalMs: 500,
  method: 'POST',
  headers: { Authorization: 'Bearer x', 'X-Many': 'v'.repeat(8_192) },
  body: '{"q":1}',
  payloadPointer: '/data/0/a~1b',
  ignorePaths: ['/at', '/rows/*/seen', '/m~0n'],
  arrayKeys: ['sku'],
  tags: ['prod', 'żółw', 'x'.repeat(64)],
  notify: ['channel-1'],
  start: false,
}

test.each<[string, Record<string, unknown>]>([
  ['an address alone', { url: URL_ }],
  ['plain http', { url: 'http://localhost:3000/events' }],
  ['everything at once', FULL],
  ['a body of nothing', { url: URL_, body: '' }],
  ['an event stream', { url: URL_, kind: 'sse' }],
  ['the longest interval', { url: URL_, intervalMs: 604_800_000 }],
  ['the whole document', { url: URL_, payloadPointer: '' }],
  ['lists of nothing', { url: URL_, headers: {}, ignorePaths: [], arrayKeys: [], tags: [], notify: [] }],
  [
    'as many as there may be',
    { url: URL_, tags: many(20, String), ignorePaths: many(50, (index) => `/${index}`) },
  ],
  ['fifty headers', { url: URL_, headers: Object.fromEntries(many(50, (index) => [`X-${index}`, 'v'])) }],
])('%s is accepted unchanged', (_what, registration) => {
  const copy = structuredClone(registration)
  expect(checkRegistration(registration) as unknown).toBe(registration)
  expect(registration).toEqual(copy)
})

test.each<[field: string | undefined, value: unknown, detail: RegExp]>([
  ['url', undefined, /^`url` is required\.$/],
  ['name', 'a\0b', /^name: NUL characters aren't allowed/],
  ['notify', ['a', '\0'], /^notify\[1\]: NUL characters aren't allowed/],
  ['headers', { 'X-A': '\0' }, /^headers/],
  ['url', 1, /^url: expected a string\.$/],
  ['url', '', /isn't a valid URL/],
  ['url', '/v1', /isn't a valid URL/],
  ['url', 'api.example.com', /isn't a valid URL/],
  ['url', `https://h/${'x'.repeat(8_192)}`, /^url: .*8192/],
  ['url', 'ftp://h/f', /Unsupported URL scheme: ftp/],
  ['url', 'file:///etc/passwd', /Unsupported URL scheme: file/],
  ['url', 'javascript:alert(1)', /Unsupported URL scheme: javascript/],
  ['url', 'https://user:password@h/', /must not contain credentials/],
  ['url', 'https://user@h/', /must not contain credentials/],
  ['kind', 'grpc', /^kind: expected sse or ndjson or websocket or graphql or poll/],
  ['kind', null, /^kind: expected sse or ndjson or websocket or graphql or poll/],
  ['name', '', /^name: .*1/],
  ['name', 'n'.repeat(201), /^name: .*200/],
  ['intervalMs', 499, /^intervalMs: .*500/],
  ['intervalMs', 604_800_001, /^intervalMs: .*604800000/],
  ['intervalMs', 1_000.5, /^intervalMs: expected a whole number from 500 to 604800000\.$/],
  ['intervalMs', '60000', /^intervalMs: expected a whole number from 500 to 604800000\.$/],
  ['intervalMs', Number.NaN, /^intervalMs: expected a whole number from 500 to 604800000\.$/],
  ['method', 'DELETE', /^method: expected GET or POST or PUT/],
  ['method', 'get', /^method: expected GET or POST or PUT/],
  ['headers', [], /^headers: expected a JSON object\.$/],
  ['headers', { 'X-A': 1 }, /^headers\.X-A: expected a string\.$/],
  ['headers', { 'X-A': 'v'.repeat(8_193) }, /^headers\.X-A: .*8192/],
  ['headers', { 'X A': 'v' }, /A header name or value contains invalid characters/],
  ['headers', { '': 'v' }, /A header name or value contains invalid characters/],
  ['headers', { 'X-A': 'a\r\nX-B: b' }, /A header name or value contains invalid characters/],
  ['headers', Object.fromEntries(many(51, (index) => [`X-${index}`, 'v'])), /At most 50 headers/],
  ['body', { q: 1 }, /^body: expected a string\.$/],
  ['body', 'b'.repeat(262_145), /^body: .*262144/],
  ['body', 'b', /GET requests can't have a body/],
  ['payloadPointer', 'data', /"data" isn't a JSON Pointer/],
  ['payloadPointer', '/a~b', /isn't a JSON Pointer/],
  ['payloadPointer', `/${'a'.repeat(1_024)}`, /^payloadPointer: .*1024/],
  ['ignorePaths', [''], /isn't a JSON Pointer/],
  ['ignorePaths', ['/good', 'bad'], /"bad" isn't a JSON Pointer/],
  ['ignorePaths', '/at', /^ignorePaths: expected a list\.$/],
  ['ignorePaths', many(51, () => '/a'), /^ignorePaths: .*50/],
  ['arrayKeys', [''], /^arrayKeys\.0: .*1/],
  ['arrayKeys', many(21, String), /^arrayKeys: .*20/],
  ['tags', ['a,b'], /^tags\.0: contains an invalid character/],
  ['tags', ['a', 'b\nc'], /^tags\.1: contains an invalid character/],
  ['tags', ['x'.repeat(65)], /^tags\.0: .*64/],
  ['tags', [''], /^tags\.0: .*1/],
  ['tags', many(21, String), /^tags: .*20/],
  ['notify', [1], /^notify\.0: expected a string\.$/],
  ['start', 'yes', /^start: expected true or false\.$/],
  ['interval', 1_000, /^Unknown field: interval\.$/],
  ['a/b~c', 1, /^Unknown field: a\/b~c\.$/],
])('%s: %j is rejected, naming the field', (field, value, detail) => {
  expect(refusal(() => checkRegistration({ url: URL_, [field as string]: value }))).toEqual({
    code: 'invalid_field',
    field: field as string,
    detail: expect.stringMatching(detail) as unknown as string,
  })
})

test.each([[null], ['https://h/'], [1], [[]], [{}]])('%j isn’t a registration', (value) => {
  expect(refusal(() => checkRegistration(value))).toMatchObject({ code: 'invalid_field' })
  expect(refusal(() => checkChange(value))).toMatchObject({ code: 'invalid_field' })
})

test('a URL is required', () => {
  expect(refusal(() => checkRegistration({ name: 'x' }))).toMatchObject({
    code: 'invalid_field',
    field: 'url',
    detail: expect.stringMatching(/required/),
  })
})

test('a long URL is shortened in the error', () => {
  const { detail } = refusal(() => checkRegistration({ url: 'x'.repeat(8_000) }))
  expect(detail.length).toBeLessThan(300)
})

test.each<[string, Record<string, unknown>]>([
  ['one field', { name: 'new' }],
  ['the body alone', { body: 'b' }],
  ['everything but the start', Object.fromEntries(Object.entries(FULL).filter(([key]) => key !== 'start'))],
])('a change of %s is accepted unchanged', (_what, change) => {
  expect(checkChange(change) as unknown).toBe(change)
})

test('a change must contain something', () => {
  expect(refusal(() => checkChange({})).code).toBe('invalid_field')
})

test.each<[string, Record<string, unknown>]>([
  ['start', { start: true }],
  ['body', { method: 'GET', body: 'b' }],
  ['url', { url: 'ftp://h' }],
  ['ignorePaths', { name: 'x', ignorePaths: ['bad'] }],
  ['intervalMs', { intervalMs: 0 }],
])('a change is validated like a registration: %s', (field, change) => {
  expect(refusal(() => checkChange(change))).toMatchObject({ code: 'invalid_field', field })
})

function refusal(check: () => unknown) {
  try {
    check()
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    const { code, field, detail } = error
    return { code, field, detail }
  }
  throw new Error('It was taken')
}
