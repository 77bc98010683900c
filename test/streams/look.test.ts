import { afterAll, beforeAll, expect, test } from 'bun:test'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { Problem } from '../../src/errors.ts'
import { Egress } from '../../src/net/egress.ts'
import type { UpstreamFetch } from '../../src/streams/ingest/upstream.ts'
import { type Preview, Previews } from '../../src/streams/preview/preview.ts'
import { until } from '../support/until.ts'
import { Feed, startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

type Answer = Preview & { known: { id: string; name: string }[] }

const LIMITS = { requestTimeoutMs: 30_000, maxBodyBytes: 1_000_000 }
/** On a machine that has much to do, any answer may be slow. */
const codes = ({ warnings }: Preview) => warnings.map(({ code }) => code).filter((code) => code !== 'slow')

let weir: TestWeir
let upstream: Upstream

beforeAll(async () => {
  upstream = startUpstream()
  weir = await startTestWeir({ MAX_BODY_BYTES: '20000000' })
})

afterAll(async () => {
  await weir.close()
  await upstream.stop()
})

async function look(body: Record<string, unknown>): Promise<Answer> {
  const response = await weir.send('POST', '/api/streams/preview', body)
  if (response.status !== 200) throw new Error(await response.text())
  return (await response.json()) as Answer
}

/** Looks without a Weir around it. */
function lookBy(fetch: UpstreamFetch, url: string, signal = new AbortController().signal): Promise<Preview> {
  return new Previews({ limits: LIMITS, fetch }).take({ url, method: 'GET', headers: {}, body: null }, signal)
}

test('a document is requested once and described with sizes, validators, keys and suggestions; nothing is stored', async () => {
  const document = {
    at: '2026-01-31',
    long: 12345678901234567890n,
    items: [
      { sku: 'a<b', price: 1 },
      { sku: 'c', price: 2 },
    ],
    filler: 'x'.repeat(2_000),
  }
  const text = JSON.stringify(document, (_key, value) => (typeof value === 'bigint' ? 0 : value)).replace(
    '"long":0',
    '"long":12345678901234567890',
  )
  const packed = Bun.gzipSync(text)
  const headers = {
    'Content-Type': 'application/json',
    'Content-Encoding': 'gzip',
    'Cache-Control': 'public, max-age=30',
    ETag: '"1"',
  }
  const url = upstream.on('/document', () => new Response(packed, { headers }))
  const found = await look({ url })
  expect(found).toMatchObject({
    url,
    problem: null,
    known: [],
    suggestion: { kind: 'poll', name: url.replace('http://', ''), intervalMs: 30_000, arrayKeys: ['sku'] },
    answer: {
      ...{ kind: 'poll', shape: 'json', status: 200, contentType: 'application/json', encoding: 'gzip' },
      ...{ wireBytes: packed.byteLength, bodyBytes: text.length, isWhole: true, redirects: [] },
      ...{ etag: '"1"', lastModified: null, events: [] },
      arrays: [{ path: '/items', members: 2, key: 'sku' }],
    },
  })
  expect(found.answer?.sample?.text).toStartWith('{\n  "at": "2026-01-31",\n  "long": 12345678901234567890,')
  expect(codes(found)).toEqual([])
  expect(upstream.requests.get('/document')?.length).toBe(1)
  expect((await weir.json<{ items: unknown[] }>('/api/streams')).items).toEqual([])
})

test('a preview’s suggestion can be registered unchanged, and the next preview lists the stream', async () => {
  const url = upstream.on('/suggested', () => Response.json([{ symbol: 'A' }, { symbol: 'B' }]))
  const { suggestion } = await look({ url })
  const { because: _, ...registration } = suggestion ?? { because: '' }
  const { id } = await weir.register({ url, ...registration, start: false })
  expect(await weir.json(`/api/streams/${id}`)).toMatchObject({ kind: 'poll', arrayKeys: ['symbol'] })
  expect((await look({ url })).known).toEqual([{ id, name: url.replace('http://', '') }])
})

test('an event stream shows its first events, and the connection is closed', async () => {
  const feed = new Feed()
  const first = [1, 2, 3, 4, 5, 6]
    .map((n) => `event: price\nid: ${n}\ndata: {"n":${n}}\n\n`)
    .join(': beat\n\n')
  const found = await look({ url: upstream.on('/events', () => feed.response({}, first)) })
  expect(found).toMatchObject({ problem: null, suggestion: { kind: 'sse' } })
  expect(found.answer).toMatchObject({ kind: 'sse', shape: 'events', sample: null })
  expect(found.answer?.events).toEqual(
    [1, 2, 3, 4, 5].map((n) => ({ event: 'price', id: String(n), data: `{"n":${n}}` })),
  )
  await until('nobody reads it any more', () => feed.readers === 0)
})

test('an event stream without events isn’t an error', async () => {
  const found = await look({ url: upstream.on('/quiet', () => new Feed().response()) })
  expect(found).toMatchObject({ problem: null, answer: { comments: 1, events: [] } })
  expect(codes(found)).toEqual(['no_event'])
})

const text = (body: string, type: string, init: ResponseInit = {}) =>
  new Response(body, { ...init, headers: { 'Content-Type': type, ...init.headers } })

test.each<[what: string, answer: () => Response, code: string, next: RegExp]>([
  ['401', () => new Response('who?', { status: 401 }), 'bad_status', /Add a header/],
  ['404', () => new Response('no', { status: 404 }), 'bad_status', /Check the path and query/],
  ['405', () => new Response('no', { status: 405 }), 'bad_status', /another method/],
  [
    '429',
    () => new Response('slow', { status: 429, headers: { 'Retry-After': '120' } }),
    'bad_status',
    /Wait for 2 min/,
  ],
  ['503', () => new Response('down', { status: 503 }), 'bad_status', /shows when it recovers/],
  [
    'what is no gzip',
    () => text('{}', 'application/json', { headers: { 'Content-Encoding': 'gzip' } }),
    'bad_encoding',
    /compression/,
  ],
  [
    'brotli',
    () => text('{}', 'application/json', { headers: { 'Content-Encoding': 'br' } }),
    'bad_encoding',
    /compression/,
  ],
  [
    'more than may be followed',
    () => text('x'.repeat(2_000_000), 'text/plain'),
    'too_large',
    /MAX_BODY_BYTES/,
  ],
])('%s is reported with what to do next', async (_what, answer, code, next) => {
  const url = upstream.on('/trouble', () => answer())
  const found = await lookBy(globalThis.fetch as UpstreamFetch, url)
  expect(found.problem).toMatchObject({ code: code as never, next: expect.stringMatching(next) })
  expect(found.answer).not.toBeNull()
})

test.each<[what: string, answer: () => Response, warning: RegExp]>([
  ['a web page', () => text('<p>Hi</p>', 'text/html'), /loads its data from/],
  ['half a document', () => text('{"a":', 'application/json'), /declared as JSON.*stores it as text/],
  ['an image', () => text('\0\0', 'image/png'), /stores its size and hash/],
])('%s can be followed, with a warning', async (_what, answer, warning) => {
  const found = await look({ url: upstream.on('/no-json', () => answer()) })
  expect(found.problem).toBeNull()
  expect(found.warnings.find(({ code }) => code === 'not_json')?.message).toMatch(warning)
})

test('the body of an error response is shown, without a suggestion', async () => {
  const url = upstream.on('/refused', () => Response.json({ error: 'token' }, { status: 403 }))
  const found = await look({ url })
  expect(found).toMatchObject({ suggestion: null, answer: { status: 403 }, warnings: [] })
  expect(found.answer?.sample?.text).toContain('"error": "token"')
})

test('a forbidden target is reported in the same way', async () => {
  const port = upstream.url.split(':').at(-1)
  const closed = new Egress({ allowHosts: [], isOpen: false, lookup: async () => ['10.0.0.7'] })
  const refused = await lookBy(closed.fetch, `http://inside.test:${port}/`)
  expect(refused).toMatchObject({ answer: null, suggestion: null, problem: { code: 'not_allowed' } })
  expect(refused.problem?.message).toContain('ALLOW_HOSTS')
  const unknown = new Egress({ allowHosts: [], isOpen: false, lookup: async () => [] })
  expect((await lookBy(unknown.fetch, 'http://nowhere.test/')).problem?.code).toBe('host_unknown')
  const free = startUpstream()
  await free.stop()
  expect((await look({ url: free.url })).problem).toMatchObject({
    code: 'connection_failed',
    next: expect.stringContaining("Weir's machine"),
  })
  const failing: UpstreamFetch = async () => {
    throw Object.assign(new Error('no'), { code: 'CERT_HAS_EXPIRED' })
  }
  expect((await lookBy(failing, 'https://old.test/')).problem).toMatchObject({
    code: 'tls_failed',
    message: 'The certificate has expired.',
  })
})

test('redirects are listed, and headers go to the first URL only', async () => {
  const other = startUpstream()
  const keys: (string | null)[] = []
  const target = other.on('/new', ({ headers }) => {
    keys.push(headers.get('x-key'))
    return text('a,b\n1,2', 'text/csv')
  })
  const url = upstream.on('/old', ({ headers }) => {
    keys.push(headers.get('x-key'))
    return new Response(null, { status: 301, headers: { Location: target } })
  })
  const found = await look({ url, headers: { 'X-Key': 'secret' } })
  expect(found.answer?.redirects).toEqual([{ status: 301, to: target }])
  expect(codes(found)).toEqual(['redirected', 'not_json', 'no_validators'])
  expect(found.warnings[0]?.message).toContain('first URL only')
  expect(keys).toEqual(['secret', null])
  await other.stop()
  const loop = upstream.on('/loop', () => Response.redirect(`${upstream.url}/loop`, 302))
  expect((await look({ url: loop })).problem?.code).toBe('too_many_redirects')
})

test.each<[what: string, path: string, body: string, code: string]>([
  ['a key in the URL', '/keyed?api_key=1', '{"a":1}', 'key_in_url'],
  ['a description of an API', '/described', '{"openapi":"3.1.0"}', 'openapi'],
  ['members that nothing tells apart', '/loose', '[{"a":1},{"a":2}]', 'by_position'],
])('%s causes a warning', async (_what, path, body, code) => {
  upstream.on(path.split('?')[0] ?? path, () => text(body, 'application/json', { headers: { ETag: '"1"' } }))
  expect(codes(await look({ url: upstream.url + path }))).toEqual([code as never])
})

test('of an endless body a bounded part is read, and its connection is closed', async () => {
  let ended = false
  const chunk = new Uint8Array(65_536).fill(32)
  const url = upstream.on('/endless', () => {
    const body = new ReadableStream({
      async pull(controller) {
        // The upstream is in this process: it leaves room for whoever reads it.
        await Bun.sleep(0)
        controller.enqueue(chunk)
      },
      cancel: () => {
        ended = true
      },
    })
    return new Response(body, { headers: { 'Content-Type': 'text/plain' } })
  })
  const { answer } = await look({ url })
  expect(answer).toMatchObject({ isWhole: false, bodyBytes: 4_194_304 })
  await until('it is let go', () => ended)
})

test('a body that decompresses beyond the limit is read up to it', async () => {
  const packed = Bun.gzipSync(new Uint8Array(15_000_000).fill(32))
  const url = upstream.on(
    '/bomb',
    () => new Response(packed, { headers: { 'Content-Type': 'text/plain', 'Content-Encoding': 'gzip' } }),
  )
  const { answer } = await look({ url })
  expect(answer).toMatchObject({ isWhole: false, bodyBytes: 4_194_304 })
})

test('a sample has at most forty lines', async () => {
  const url = upstream.on('/long', () => Response.json(Array.from({ length: 100 }, (_, n) => n)))
  const { answer } = await look({ url })
  expect(answer?.sample?.text.split('\n').length).toBe(40)
  expect(answer?.sample?.isCut).toBe(true)
})

test('concurrent previews are limited, and an aborted one makes room', async () => {
  const asked: AbortSignal[] = []
  const hanging: UpstreamFetch = (_url, { signal }) =>
    new Promise((_, reject) => {
      asked.push(signal as AbortSignal)
      if (signal?.aborted) reject(signal.reason)
      signal?.addEventListener('abort', () => reject(signal.reason))
    })
  const looks = new Previews({ limits: LIMITS, fetch: hanging })
  const leaving = new AbortController()
  const start = () =>
    looks.take({ url: 'http://h.test/', method: 'GET', headers: {}, body: null }, leaving.signal)
  const looking = Promise.allSettled(Array.from({ length: 8 }, start))
  await expect(start()).rejects.toMatchObject({ code: 'too_many' })
  leaving.abort(new Error('gone'))
  for (const each of await looking)
    expect(each).toMatchObject({ status: 'rejected', reason: { message: 'gone' } })
  expect(asked.length).toBe(8)
  await expect(start()).rejects.not.toBeInstanceOf(Problem)
})

test.each<[body: Record<string, unknown>, field: string]>([
  [{}, 'url'],
  [{ url: 'ftp://h/' }, 'url'],
  [{ url: 'http://user:secret@h/' }, 'url'],
  [{ url: 'http://h/', body: 'x' }, 'body'],
  [{ url: 'http://h/', name: 'x' }, 'name'],
])('%j is rejected, naming the field', async (body, field) => {
  const response = await weir.send('POST', '/api/streams/preview', body)
  expect(response.status).toBe(422)
  expect(await response.json()).toMatchObject({ code: 'invalid_field', field })
})

test.each<[name: string, type: string, encoding: string, body: Uint8Array | string, document: unknown]>([
  ['JSON as a page', 'text/html', '', '{"a":1}', { a: 1 }],
  ['JSON without a type', 'application/octet-stream', '', '{"a":1}', { a: 1 }],
  ['lines of JSON', 'application/x-ndjson', '', '{"a":1}\n{"a":2}\n', [{ a: 1 }, { a: 2 }]],
  ['UTF-16', 'application/json', '', Buffer.from('{"a":"é"}', 'utf16le'), { a: 'é' }],
  ['Latin-1', 'application/json; charset=iso-8859-1', '', Buffer.from('{"a":"é"}', 'latin1'), { a: 'é' }],
  ['brotli', 'application/json', 'br', brotliCompressSync('{"a":1}'), { a: 1 }],
  ['two codings', 'application/json', 'deflate, gzip', gzipSync(deflateSync('{"a":1}')), { a: 1 }],
  ['no coding', 'application/json', 'utf-8', '{"a":1}', { a: 1 }],
  ['text like JSON', 'text/plain', '', '[server]\nport = 80\n', '[server]\nport = 80\n'],
])(
  'a preview and the polls that follow make the same of it: %s',
  async (_name, type, encoding, body, document) => {
    const headers = { 'Content-Type': type, ...(encoding !== '' && { 'Content-Encoding': encoding }) }
    const url = upstream.on(`/same/${Bun.randomUUIDv7()}`, () => new Response(body as BodyInit, { headers }))
    const { problem, answer } = await look({ url })
    const isText = typeof document === 'string'
    expect([problem, answer?.shape]).toEqual([null, isText ? 'text' : 'json'])
    const shown = answer?.sample?.text ?? ''
    expect(isText ? shown : JSON.parse(shown)).toEqual(isText ? document.trim() : document)
    const { id } = await weir.register({ url, kind: 'poll' })
    const entry = await weir.entry(id, 'it is polled', ({ data }) => data !== undefined)
    expect(entry.data).toEqual(document)
  },
)
