import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { decodeFile } from '../../src/transfer/decode.ts'
import type { ForeignOptions } from '../../src/transfer/foreign/format.ts'
import { type Format, formatOf, readImportLines } from '../../src/transfer/lines.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'
import { exportedList, importInto } from './client.ts'
import { one } from './operations.ts'
import { refusalOf } from './refusal.ts'

const SHOP = await Bun.file(join(import.meta.dir, 'fixtures/shop.postman_collection.json')).text()

interface Read {
  url?: string
  name?: string
  headers?: Record<string, string>
  detail?: string
  skipped?: string
  [field: string]: unknown
}

/** What becomes of each item of a file, recognized by its content. */
async function read(
  file: unknown,
  options: Partial<ForeignOptions> & { format?: Format } = {},
): Promise<Read[]> {
  const text = typeof file === 'string' ? file : JSON.stringify(file)
  const given = { headers: {}, params: new Map<string, string>(), ...options }
  const found: Read[] = []
  for await (const line of await readImportLines(text, options.format ?? formatOf(text, null), given)) {
    const { value, problem, skipped } = line
    found.push({
      ...(value as Read),
      ...(problem && { detail: problem.detail }),
      ...(skipped && { skipped }),
    })
  }
  return found
}

describe('a Postman collection', () => {
  test('becomes a stream for each request that only reads, with what it inherits', async () => {
    const [list, one, change, stock, gone, key, signed, query, mutation] = await read(SHOP)
    expect(list).toEqual({
      ...{ name: 'List', method: 'GET', url: 'https://shop.example.com/v1/prices?page=1', tags: ['Prices'] },
      headers: { accept: 'application/json', Authorization: 'Bearer t-secret-1' },
    })
    expect(one).toEqual({
      name: 'List',
      method: 'GET',
      url: 'https://shop.example.com:8443/prices/a%20b',
      tags: ['Prices'],
    })
    expect(change?.skipped).toMatch(/^POST may change something/)
    expect(stock).toMatchObject({
      tags: ['Admin internal'],
      headers: { Authorization: `Basic ${Buffer.from('me:t-secret-1').toString('base64')}` },
    })
    expect(gone?.detail).toBe(
      "The collection doesn't provide: variable old (?param=old=…); variable $guid (?param=$guid=…).",
    )
    expect(key).toMatchObject({ url: 'http://shop.example.com/key', headers: { 'X-Api-Key': 'k-secret-2' } })
    expect(signed?.skipped).toMatch(/awsv4 can't be converted/)
    expect(query).toMatchObject({
      ...{ method: 'POST', body: '{"query":"{ prices { id } }","variables":{"n": 1}}' },
      headers: { 'Content-Type': 'application/json' },
    })
    expect(mutation?.skipped).toMatch(/^POST may change/)
  })

  test('takes the caller’s variables and headers before its own', async () => {
    const params = new Map([
      ['old', 'new'],
      ['$guid', '7'],
      ['id', '9'],
    ])
    const lines = await read(SHOP, { params, headers: { authorization: 'Bearer mine' } })
    expect(lines[0]?.headers).toEqual({ accept: 'application/json', authorization: 'Bearer mine' })
    expect(lines[1]?.url).toBe('https://shop.example.com:8443/prices/9')
    expect(lines[4]?.url).toBe('https://shop.example.com/v1/new/7')
    expect(lines[6]?.skipped).toBeUndefined()
  })

  test('is bounded: variables that repeat each other, and folders in folders', async () => {
    const info = { schema: 'https://schema.getpostman.com/json/collection/v2.1.0/collection.json' }
    const variable = Array.from({ length: 12 }, (_, index) => ({
      key: `v${index}`,
      value: `{{v${index + 1}}}`.repeat(100),
    }))
    const [bomb] = await read({ info, variable, item: [{ name: 'a', request: 'https://h/{{v0}}' }] })
    expect(String(bomb?.url).length).toBeLessThan(10_000)
    const many = Array.from({ length: 2_000 }, () => ({ request: 'https://h/{{v0}}' }))
    expect((await refusalOf(() => read({ info, variable, item: many }))).code).toBe('too_large')
    const loop = [{ key: 'a', value: '{{a}}' }]
    expect((await read({ info, variable: loop, item: [{ request: 'https://h/{{a}}' }] }))[0]?.detail).toMatch(
      /variable a/,
    )
    let item: unknown = { name: 'deep', request: 'https://h/deep' }
    for (let depth = 0; depth < 40; depth++) item = { name: `f${depth}`, item: [item] }
    expect(await read({ info, item: [item] })).toMatchObject([
      { skipped: expect.stringMatching(/folders deep/) },
    ])
  })

  test('turns credentials in a URL into a header', async () => {
    const info = { schema: 'v2.1.0' }
    const [line] = await read({ info, item: [{ request: 'https://me:p%40ss@h/a' }] })
    expect(line).toMatchObject({
      url: 'https://h/a',
      headers: { Authorization: `Basic ${Buffer.from('me:p@ss').toString('base64')}` },
    })
  })
})

describe('a HAR', () => {
  const entry = (url: string, rest: object = {}, response: object = {}) => ({
    request: {
      ...{ method: 'GET', url, httpVersion: 'HTTP/2' },
      headers: [
        { name: ':authority', value: 'h' },
        { name: 'Authorization', value: 'Bearer s-1' },
        { name: 'Cookie', value: 'sid=1' },
        { name: 'accept-encoding', value: 'gzip' },
        { name: 'If-None-Match', value: '"1"' },
        { name: 'sec-ch-ua', value: 'x' },
      ],
      ...rest,
    },
    response: { status: 200, content: { mimeType: 'application/json; charset=utf-8' }, ...response },
  })
  const har = (...entries: unknown[]) => ({ log: { version: '1.2', creator: {}, entries } })

  test('becomes one stream per URL that answered with JSON or events', async () => {
    const lines = await read(
      har(
        entry('https://h/a?b=1#top'),
        entry('https://h/a?b=1'),
        entry('https://h/live', {}, { content: { mimeType: 'text/event-stream' } }),
        entry('https://h/page', {}, { content: { mimeType: 'text/html' } }),
        entry('https://h/a', { method: 'POST' }),
        entry('https://h/broken', {}, { status: 500 }),
        entry('https://h/cached', {}, { status: 304 }),
        { request: null },
      ),
    )
    expect(lines[0]).toEqual({
      url: 'https://h/a?b=1',
      kind: 'poll',
      headers: { Authorization: 'Bearer s-1' },
    })
    expect(lines[2]).toMatchObject({ url: 'https://h/live', kind: 'sse' })
    expect(lines[6]).toMatchObject({ url: 'https://h/cached', kind: 'poll' })
    expect(lines.map(({ skipped = '' }) => skipped)).toEqual([
      '',
      'The same URL as entry 1.',
      '',
      'The response is text/html, not JSON or an event stream.',
      'POST: only GET requests are followed.',
      'The response has status 500.',
      '',
      'It has no request or no response.',
    ])
  })

  test('sends recorded cookies only if the caller asks for it', async () => {
    const [line] = await read(har(entry('https://h/a')), { cookies: true })
    expect(line?.headers).toEqual({ Authorization: 'Bearer s-1', Cookie: 'sid=1' })
  })
})

test('a backup of Uptime Kuma becomes a stream for each monitor that requests a URL', async () => {
  const monitor = {
    type: 'http',
    method: 'GET',
    interval: 60,
    active: true,
    upsideDown: false,
    authMethod: null,
  }
  const lines = await read({
    version: '1.23.13',
    notificationList: [],
    monitorList: [
      {
        ...monitor,
        name: 'Shop',
        url: 'https://shop.example.com/',
        headers: '{"X-Key": "k-1"}',
        tags: [{ name: 'a,b' }],
      },
      { ...monitor, type: 'json-query', name: 'Price', url: 'https://h/p', active: false, interval: 20 },
      {
        ...{ ...monitor, type: 'keyword', name: 'Word', url: 'https://h/w', method: 'POST', body: '{"a":1}' },
        ...{ authMethod: 'basic', basic_auth_user: 'me', basic_auth_pass: 'p' },
      },
      { ...monitor, type: 'ping', name: 'Ping', url: 'https://', hostname: 'h' },
      { ...monitor, name: 'Head', url: 'https://h/h', method: 'HEAD' },
      { ...monitor, name: 'Not', url: 'https://h/n', upsideDown: true },
      { ...monitor, name: 'Ntlm', url: 'https://h/n', authMethod: 'ntlm' },
    ],
  })
  expect(lines.slice(0, 3)).toEqual([
    {
      ...{ name: 'Shop', url: 'https://shop.example.com/', method: 'GET', intervalMs: 60_000, tags: ['a b'] },
      headers: { 'X-Key': 'k-1' },
    },
    { name: 'Price', url: 'https://h/p', method: 'GET', intervalMs: 20_000, start: false },
    {
      ...{ name: 'Word', url: 'https://h/w', method: 'POST', body: '{"a":1}', intervalMs: 60_000 },
      headers: { Authorization: `Basic ${Buffer.from('me:p').toString('base64')}` },
    },
  ])
  expect(lines.slice(3).map(({ skipped = '' }) => skipped)).toEqual([
    'A monitor of type ping requests no URL.',
    'Method HEAD: Weir sends GET, POST or PUT.',
    'It is upside down: it is up while its URL fails.',
    "Authentication ntlm can't be converted.",
  ])
})

describe('an export of changedetection.io', () => {
  const watching = (...watches: object[]) => ({
    watching: Object.fromEntries(watches.map((watch, index) => [`w${index}`, watch])),
    settings: {
      requests: { time_between_check: { hours: 3 } },
      application: { tags: { t1: { title: 'Shop' } } },
    },
  })

  test('becomes a stream for each watch, with title, tags, interval and filter', async () => {
    const lines = await read(
      watching(
        { url: 'https://h/a', title: 'A', tags: ['t1'], time_between_check: { minutes: 5, seconds: 30 } },
        { url: 'https://h/b', tag: 'x, y,', paused: true, include_filters: ['.price', '#stock '] },
        { url: 'https://h/c', include_filters: ['//span[1]'], headers: { 'X-A': '1' } },
        { url: 'https://h/d', css_filter: 'xpath:/html/body' },
        { url: 'https://h/e', include_filters: ["json:$.a['b/c'][0]"] },
      ),
    )
    expect(lines).toEqual([
      { url: 'https://h/a', name: 'A', method: 'GET', tags: ['Shop'], intervalMs: 330_000 },
      {
        ...{ url: 'https://h/b', method: 'GET', tags: ['x', 'y'], intervalMs: 10_800_000, start: false },
        select: 'css: .price, #stock',
      },
      {
        ...{ url: 'https://h/c', method: 'GET', headers: { 'X-A': '1' }, intervalMs: 10_800_000 },
        select: 'xpath: //span[1]',
      },
      { url: 'https://h/d', method: 'GET', intervalMs: 10_800_000, select: 'xpath: /html/body' },
      { url: 'https://h/e', method: 'GET', intervalMs: 10_800_000, payloadPointer: '/a/b~1c/0' },
    ])
  })

  test.each([
    [['.a', '//b'], /several languages/],
    [['json:$..price'], /JSONPath for several values/],
    [['jq:.a'], /uses jq/],
  ])('with the filters %j fails that watch, and says why', async (include_filters, why) => {
    const [line] = await read(watching({ url: 'https://h/a', include_filters }))
    expect(line?.detail).toMatch(why)
  })

  test('may be the list of its URLs, with tags', async () => {
    expect(await read('https://h/a shop, eu,\r\n\r\n# none\r\nhttps://h/b\r\n')).toEqual([
      { url: 'https://h/a', tags: ['shop', 'eu'] },
      { url: 'https://h/b' },
    ])
  })
})

describe('a Swagger 2 document', () => {
  const document = {
    swagger: '2.0',
    ...{
      host: 'api.example.com',
      basePath: '/v2',
      schemes: ['http', 'https'],
      produces: ['application/json'],
    },
    securityDefinitions: { key: { type: 'apiKey', in: 'header', name: 'X-Key' } },
    parameters: { page: { name: 'page', in: 'query', type: 'integer', required: true, default: 1 } },
  }
  const at = (operation: object, rest: object = {}, options = {}) =>
    one(operation, { openapi: undefined, servers: undefined, ...document, ...rest }, options)

  test('is read like OpenAPI 3: server, parameters in their format, content types', () => {
    const parameters = [
      { $ref: '#/parameters/page' },
      {
        name: 'ids',
        in: 'query',
        required: true,
        type: 'array',
        collectionFormat: 'pipes',
        'x-example': [1, 2],
      },
      { name: 'tags', in: 'query', required: true, type: 'array', default: ['a', 'b'] },
      { name: 'body', in: 'body', required: true, schema: {} },
    ]
    expect(at({ summary: 'Prices', parameters })).toMatchObject({
      ...{ url: 'https://api.example.com/v2/a?page=1&ids=1|2&tags=a,b', name: 'Prices', kind: 'poll' },
    })
    expect(at({ produces: ['text/event-stream'] }).kind).toBe('sse')
  })

  test('names the secrets that it needs', () => {
    expect(at({ security: [{ key: [] }] }).detail).toMatch(/header X-Key/)
    expect(at({ security: [{ key: [] }] }, {}, { headers: { 'x-key': 'k' } }).headers).toEqual({
      'x-key': 'k',
    })
    expect(at({}, { host: undefined }).field).toBe('server')
  })
})

test('a format that the caller names has to be that of the file', async () => {
  expect(await refusalOf(() => read({ monitorList: [] }, { format: 'har' }))).toMatchObject({
    code: 'bad_request',
    detail: "The file isn't a HAR.",
  })
})

test('files as Windows writes them are recognized by their content', async () => {
  const utf16 = Buffer.from(`\uFEFF${SHOP.replaceAll('\n', '\r\n')}`, 'utf16le')
  expect((await read(decodeFile(utf16)))[0]?.name).toBe('List')
  const csv = decodeFile(Buffer.from('\uFEFFURL;Tags;HEADER:X-Key\r\nhttps://h/a;"shop, eu,";k\r\n'))
  expect(await read(csv)).toEqual([{ url: 'https://h/a', tags: ['shop', 'eu'], headers: { 'X-Key': 'k' } }])
  expect(() => decodeFile(Buffer.from('{"name":"M\xfcller"}', 'latin1'))).toThrow(/Windows-1252/)
})

describe('over the API', () => {
  let weir: TestWeir
  let shop: string
  const api = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => Response.json({ price: 1 }) })

  beforeAll(async () => {
    weir = await startTestWeir()
    const collection = JSON.parse(SHOP.replaceAll('shop.example.com', `127.0.0.1:${api.port}`))
    collection.item[0].item.splice(1, 1)
    shop = JSON.stringify(collection).replace('"scheme","value":"https"', '"scheme","value":"http"')
  })
  afterAll(async () => {
    await weir.close()
    await api.stop(true)
  })

  test('each item is told its outcome in a dry run, which stores nothing, and secrets stay hidden', async () => {
    const query = 'start=false&param=old=o&param=$guid=1'
    const plan = await importInto(weir, shop, `dryRun=true&${query}`)
    expect(plan.totals).toEqual({ lines: 8, created: 5, unchanged: 0, updated: 0, skipped: 3, failed: 0 })
    expect(plan.lines[1]).toMatchObject({
      outcome: 'skipped',
      name: 'Change',
      reason: expect.stringMatching(/^POST/),
    })
    expect(await exportedList(weir)).toEqual([])
    const done = await importInto(weir, shop, query)
    expect(done.totals).toEqual(plan.totals)
    expect(JSON.stringify([plan, done, await exportedList(weir)])).not.toMatch(/secret/)
    expect((await importInto(weir, shop, query)).totals).toMatchObject({ created: 0, unchanged: 5 })
  })
})
