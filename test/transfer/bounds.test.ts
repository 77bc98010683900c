import { afterAll, beforeAll, describe, expect, spyOn, test } from 'bun:test'

import type { Problem } from '../../src/errors.ts'
import { Report } from '../../src/routes/transfer/import-report.ts'
import { MAX_LINE_CHARS, MAX_STEPS, MAX_TEXT_CHARS, MAX_VALUES } from '../../src/transfer/bounds.ts'
import type { Outcome } from '../../src/transfer/item.ts'
import { type Format, type Line, readLines } from '../../src/transfer/lines.ts'
import { operationsOf } from '../../src/transfer/openapi/operations.ts'
import { until } from '../support/until.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'
import { refusalOf } from './refusal.ts'

const TOKEN = 'a-secret-of-tests-0123456789'
const NOTHING = { headers: {}, params: new Map<string, string>() }
const read = async (text: string, format: Format, options = NOTHING): Promise<Line[]> =>
  Array.fromAsync(await readLines(text, format, options))
/** A document with so many paths that all have the same operation. */
const shared = (paths: number, operation: object, rest: object = {}) => ({
  ...{ openapi: '3.0.0', servers: [{ url: 'https://a.test' }] },
  paths: Object.fromEntries(Array.from({ length: paths }, (_, n) => [`/${n}`, { get: operation }])),
  ...rest,
})
const parameter = (example: unknown, rest: object = {}) => ({
  parameters: [{ name: 'q', in: 'query', required: true, example, ...rest }],
})

describe('a document whose parts are shared by many paths', () => {
  test('a value that no URL has room for fails its operations, and is nowhere in what is told', async () => {
    const document = shared(300, parameter('A'.repeat(1_000_000)))
    const lines = await read(JSON.stringify({ ...document, paths: {} }).replace('{}', pathsOf(300)), 'json')
    expect(lines).toHaveLength(300)
    expect(lines[7]?.problem).toMatchObject({ code: 'too_large', field: 'q' })
    expect(lines[7]?.problem?.detail).toMatch(/8,192 characters.*\?param=q=/)
    expect(JSON.stringify(lines).length).toBeLessThan(100_000)

    function pathsOf(count: number): string {
      const own = JSON.stringify({ get: { $ref: '#/components/get' } })
      const paths = Array.from({ length: count }, (_, n) => `"/${n}":${own}`).join(',')
      return `{${paths}},"components":{"get":${JSON.stringify(parameter('A'.repeat(1_000_000)))}}`
    }
  })

  test.each<[what: string, example: unknown, place: string]>([
    ['a list in a query', Array(5_000).fill('a'), 'query'],
    ['a long text in a path', 'ż'.repeat(2_000), 'path'],
    ['an object in a query', Object.fromEntries(Array.from({ length: 3_000 }, (_, n) => [n, n])), 'query'],
  ])('%s that makes a URL too long fails its operation alone', (_what, example, place) => {
    const paths = { '/x/{q}': { get: parameter(example, { in: place }) }, '/y': { get: {} } }
    const [long, good] = [...operationsOf({ ...shared(0, {}), paths }, NOTHING)]
    expect(long?.problem).toMatchObject({ code: 'too_large', field: 'q' })
    expect(good).toEqual({ line: 2, value: { url: 'https://a.test/y', name: '/y' } })
  })

  test('values that fit each URL, and come to more than a file may have, are refused as a whole', async () => {
    const example = 'A'.repeat(8_000)
    const fitting = Math.floor(MAX_TEXT_CHARS / 2 / 9_000)
    expect((await read(JSON.stringify(shared(100, parameter(example))), 'json')).length).toBe(100)
    const document = shared(2 * fitting + 2_000, { $ref: '#/get' }, { get: parameter(example) })
    const refusal = await refusalOf(() => read(JSON.stringify(document), 'json'))
    expect(refusal).toMatchObject({
      code: 'too_large',
      detail: expect.stringMatching(/33,554,432 characters/),
    })
  })

  test('a header of the caller counts for each operation that it is sent with', async () => {
    const options = { ...NOTHING, headers: { Authorization: 'x'.repeat(8_000) } }
    const refusal = await refusalOf(() => read(JSON.stringify(shared(5_000, {})), 'json', options))
    expect(refusal.code).toBe('too_large')
    const hiding = Array(5_000).fill({ url: 'http://a', headers: { authorization: '•••' } })
    expect((await refusalOf(() => read(JSON.stringify(hiding), 'json', options))).code).toBe('too_large')
  })

  test('servers and secrets are looked at once, however many paths have them', () => {
    const looks = { servers: 0, security: 0 }
    const counted = (name: keyof typeof looks) => ({
      get: (of: object, key: PropertyKey) => {
        looks[name]++
        return Reflect.get(of, key)
      },
    })
    const counting = (name: keyof typeof looks, list: object[]) =>
      list.map((each) => new Proxy(each, counted(name)))
    const servers = counting('servers', Array(10_000).fill({ url: 'https://a.test' }))
    const security = new Proxy(Array(10_000).fill({ key: [] }), counted('security'))
    const lines = [...operationsOf({ ...shared(1_000, {}), servers, security }, NOTHING)]
    expect(lines[0]?.problem?.detail).toMatch(/which of more than 20 servers.*the secret/)
    expect(looks.servers).toBeLessThan(1_000)
    // Those that are taken out of the list each count as a few.
    expect(looks.security).toBeLessThan(10_000)
  })

  test('schemas that all parameters share are looked at so often, and no more', async () => {
    const parts = Array.from({ length: 90 }, () => ({ type: 'string' }))
    const parameters = Array.from({ length: 200 }, (_, n) => ({ name: `p${n}`, in: 'query', required: true }))
    const own = parameters.map((each) => ({ ...each, schema: { $ref: '#/schema' } }))
    const document = shared(Math.ceil(MAX_STEPS / 200 / 90) + 1, { $ref: '#/get' })
    const text = JSON.stringify({ ...document, get: { parameters: own }, schema: { allOf: parts } })
    const refusal = await refusalOf(() => read(text, 'json'))
    expect(refusal).toMatchObject({ code: 'too_large', detail: expect.stringMatching(/2,000,000 steps/) })
  })

  test.each<[what: string, get: object]>([
    ['parameters', { parameters: Array(201).fill({ name: 'a', in: 'query' }) }],
    ['a path of which it has more than a URL', { parameters: [] }],
  ])('an operation with too many %s fails alone', (what, get) => {
    const path = what === 'parameters' ? '/a' : `/${'{a}'.repeat(3_000)}`
    const [line] = [...operationsOf({ ...shared(0, {}), paths: { [path]: { get } } }, NOTHING)]
    expect(line?.problem?.code).toBe('too_large')
    expect(JSON.stringify(line?.value).length).toBeLessThan(9_000)
  })

  test('a server whose variables multiply it is not filled further than a URL is long', () => {
    const variables = { v: { default: 'x'.repeat(8_000) } }
    const [line] = [
      ...operationsOf({ ...shared(1, {}), servers: [{ url: 'https://{v}{v}', variables }] }, NOTHING),
    ]
    expect(line?.problem).toMatchObject({ code: 'too_large', field: 'server' })
    const many = `https://${'{v}'.repeat(21)}`
    const [other] = [...operationsOf({ ...shared(1, {}), servers: [{ url: many, variables }] }, NOTHING)]
    expect(other?.problem?.detail).toMatch(/20 variables/)
  })
})

describe('a file', () => {
  const empties = `[${'[],'.repeat(MAX_VALUES)}[]]`
  test.each<[what: string, text: string, format: Format, detail: RegExp]>([
    ['a document of many values', `{"openapi":"3.0.0","x":${empties}}`, 'json', /400,000 values/],
    ['a YAML document of many values', `openapi: 3.0.0\nx: ${empties}`, 'openapi', /400,000 values/],
    ['YAML that merges the same ever again', merging(), 'openapi', /400,000 values/],
    ['an array of many members', empties, 'json', /100,000 streams/],
    ['NDJSON of many lines', '{}\n'.repeat(100_001), 'ndjson', /100,000 streams/],
    ['CSV of many lines', `url\n${'http://a\n'.repeat(100_001)}`, 'csv', /100,000 streams/],
    ['CSV of many columns', wide(300), 'csv', /columns/],
  ])('%s is too large', async (_what, text, format, detail) => {
    const refusal = await refusalOf(() => read(text, format))
    expect(refusal).toMatchObject({ code: 'too_large', detail: expect.stringMatching(detail) })
  })

  test('with one registration that is too long fails in that one alone', async () => {
    const long = JSON.stringify({ url: 'http://a', body: 'b'.repeat(MAX_LINE_CHARS) })
    for (const [text, format] of [
      [`{"url":"http://a"}\n${long}\n{"url":"http://b"}`, 'ndjson'],
      [`[{"url":"http://a"},${long},{"url":"http://b"}]`, 'json'],
      [`url,body\nhttp://a,\nhttp://c,${'b'.repeat(MAX_LINE_CHARS)}\nhttp://b,`, 'csv'],
    ] as const) {
      const lines = await read(text, format)
      expect(lines.map(({ problem }) => problem?.code)).toEqual([undefined, 'too_large', undefined])
      expect(lines[2]?.value).toEqual({ url: 'http://b' })
    }
  })

  test.each<unknown[][]>([
    [[]],
    [[[]]],
    [[{ a: '],"\\' }, '\\"', ',', '[', -1.5e3, null, { b: [{ c: ['}'] }] }]],
    [['\\', '\\\\', '"', '\\"', '{']],
  ])('an array is read member by member as it would be at once: %j', async (...list) => {
    for (const text of [JSON.stringify(list), JSON.stringify(list, null, 2), ` ${JSON.stringify(list)}\n`]) {
      expect((await read(text, 'json')).map(({ value }) => value)).toEqual(list)
    }
  })

  test.each(['[1,]', '[,1]', '[1,,2]', '[1] 2', '[1]]', '[1', '["a]', '[{]', '[}]', '[1 2]', '[{"a":1]}'])(
    '%s is no JSON',
    async (text) => {
      expect((await refusalOf(() => read(text, 'json'))).code).toBe('invalid_json')
    },
  )

  test('of more streams than fit into one text is read from an object, too', async () => {
    const list = `[${'{"url":"http://a","tags":["a","b","c","d"]},'.repeat(90_000)}{"url":"http://b"}]`
    expect((await read(`{ "streams" : ${list} }`, 'json')).at(-1)).toEqual({
      ...{ line: 90_001, value: { url: 'http://b' } },
    })
    expect((await refusalOf(() => read(`{"streams":${list},"x":1}`, 'json'))).code).toBe('invalid_json')
  })

  test.each<[Format, string]>([
    ['ndjson', '{"url":"http://a"}\n'.repeat(50_000)],
    ['json', `[${'{"url":"http://a"},'.repeat(50_000)}{}]`],
    ['openapi', JSON.stringify(shared(20_000, {}))],
  ])('of %s leaves the others their turn while it is read', async (format, text) => {
    // A clock by which each step takes a millisecond: how fast the machine is makes no difference.
    let atMs = 0
    using _clock = spyOn(performance, 'now').mockImplementation(() => atMs++)
    let turns = 0
    let isOver = false
    const turn = () => {
      turns++
      if (!isOver) setImmediate(turn)
    }
    turn()
    await readLines(text, format, NOTHING)
    isOver = true
    expect(turns).toBeGreaterThan(3)
  })
})

test('a report has room for so much; what becomes of further lines is counted', () => {
  const report = new Report()
  const outcome: Outcome = { line: 1, outcome: 'failed', url: 'u'.repeat(8_192) }
  const told = Array.from({ length: 100 }, () => report.add(Array(100).fill(outcome)).length)
  expect(told.reduce((sum, count) => sum + count)).toBeLessThan(8_192)
  expect(report.end(true)).toMatchObject({ isCut: true, totals: { lines: 10_000, failed: 10_000 } })
})

describe('imports of one key', () => {
  let upstream: Upstream
  let weir: TestWeir
  beforeAll(async () => {
    upstream = startUpstream()
    weir = await startTestWeir({ WEIR_TOKEN: TOKEN })
  })
  afterAll(async () => {
    await weir.close()
    await upstream.stop()
  })
  const importAs = (secret: string, path: string, body: BodyInit, headers = {}) =>
    fetch(weir.url + path, {
      method: 'POST',
      body,
      headers: { Authorization: `Bearer ${secret}`, ...headers },
    })
  const makeKey = async (name: string) => {
    const made = await importAs(TOKEN, '/api/keys', JSON.stringify({ name, scope: 'operate' }))
    return ((await made.json()) as { secret: string }).secret
  }

  test('leave room for those of others, by the page too, before their file is read', async () => {
    const { promise: released, resolve: release } = Promise.withResolvers<void>()
    const held = upstream.on('/held', async () => {
      await released
      return Response.json({})
    })
    const [greedy, other] = [await makeKey('greedy'), await makeKey('other')]
    const begin = (n: number) =>
      importAs(greedy, '/api/streams/import?start=false', JSON.stringify([{ url: `${held}?${n}` }]))
    const under = [begin(1), begin(2)]
    await until('both ask', () => upstream.requests.get('/held')?.length === 2)
    const refused = await importAs(greedy, '/api/streams/import', 'no file at all')
    expect(refused.status).toBe(429)
    expect(((await refused.json()) as Problem).detail).toMatch(/of yours/)
    const form = new FormData()
    form.set('text', '[]')
    expect((await importAs(greedy, '/streams/import', form, { Origin: weir.url })).status).toBe(429)
    expect((await importAs(other, '/api/streams/import', '[]')).status).toBe(200)
    release()
    for (const response of await Promise.all(under)) expect(response.status).toBe(200)
    expect((await importAs(greedy, '/api/streams/import', '[]')).status).toBe(200)
  })

  test('leave everybody else answered while the largest one is read', async () => {
    const document = JSON.stringify(shared(60_000, {}))
    let isDone = false
    const imported = importAs(TOKEN, '/api/streams/import?dryRun=true', document).finally(() => {
      isDone = true
    })
    let answers = 0
    while (!isDone) {
      await (await weir.get('/healthz')).text()
      answers++
    }
    const { totals } = (await (await imported).json()) as { totals: object }
    expect(totals).toMatchObject({ lines: 60_000, created: 60_000 })
    expect(answers).toBeGreaterThan(20)
  })
})

/** A mapping that thousands take the keys of. */
function merging(): string {
  const keys = Array.from({ length: 2_000 }, (_, n) => `k${n}: 1`).join(', ')
  return `a: &a {${keys}}\n${Array.from({ length: 2_000 }, (_, n) => `b${n}:\n  <<: *a`).join('\n')}`
}

function wide(columns: number): string {
  return `url,${Array.from({ length: columns }, (_, n) => `header:h${n}`).join(',')}\nhttp://a`
}
