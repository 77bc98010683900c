import { afterAll, beforeAll, expect, test } from 'bun:test'
import { WORKER_HEADER } from '../../src/limits/client.ts'
import { until } from '../support/until.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

const TOKEN = 'a-token-of-sixteen-and-more'
const PER_CLIENT = 3
const BURST = 40
let weir: TestWeir
let last = 0

beforeAll(async () => {
  weir = await startTestWeir({
    WEIR_TOKEN: TOKEN,
    TRUST_PROXY: '127.0.0.1',
    // A token comes back each second: whoever needs a refusal asks until there is one.
    RATE_LIMIT: '1',
    RATE_BURST: String(BURST),
    MAX_SUBSCRIBERS_PER_CLIENT: String(PER_CLIENT),
    MAX_SUBSCRIBERS: String(2 * PER_CLIENT),
  })
})
afterAll(() => weir?.close())

/** An address that no other test has used. */
function stranger(): string {
  return `198.51.100.${++last}`
}

function ask(path: string, from: string, more: RequestInit & { headers?: Record<string, string> } = {}) {
  const headers = { Authorization: `Bearer ${TOKEN}`, 'X-Forwarded-For': from, ...more.headers }
  return fetch(weir.url + path, { ...more, headers })
}

/** Asks until it is refused. */
async function spend(
  from: string,
  headers: Record<string, string> = {},
  path = '/api/status',
): Promise<Response> {
  for (let each = 0; each < 3 * BURST; each++) {
    const response = await ask(path, from, { headers })
    if (response.status === 429) return response
    await response.text()
  }
  throw new Error('It was never refused')
}

test('a response says how much is left', async () => {
  const from = stranger()
  const first = await ask('/api/status', from)
  expect(first.headers.get('ratelimit-policy')).toBe(`"default";q=${BURST};w=${BURST}`)
  expect(first.headers.get('ratelimit')).toBe(`"default";r=${BURST - 1};t=1`)
})

test('a client over the limit is refused with Retry-After; others aren’t', async () => {
  const refused = await spend(stranger())
  expect(refused.headers.get('content-type')).toBe('application/problem+json')
  expect(refused.headers.get('retry-after')).toBe('1')
  expect(refused.headers.get('ratelimit')).toStartWith('"default";r=0;t=')
  expect(await refused.json()).toMatchObject({ code: 'too_many', status: 429 })
  expect((await ask('/api/status', stranger())).status).toBe(200)
})

test('requests without the token are limited too, and health checks are always answered', async () => {
  const from = stranger()
  await spend(from, { Authorization: 'Bearer wrong-and-long-enough' })
  expect((await ask('/healthz', from)).status).toBe(200)
})

test('people get a page about it, and console assets are cheap', async () => {
  const from = stranger()
  for (let each = 0; each < 4 * BURST; each++) {
    const asset = await ask('/assets/views/layout/weir.css', from)
    await asset.text()
    if (each === 0) expect(asset.status).toBe(200)
  }
  expect((await ask('/api/status', from)).status).toBe(200)
  await spend(from)
  const page = await spend(from, { Accept: 'text/html' }, '/streams')
  expect(page.status).toBe(429)
  expect(page.headers.get('content-type')).toStartWith('text/html')
})

test('a proxy stream is refused in the way its client understands', async () => {
  const from = stranger()
  const { type, text } = await until('it is refused', async () => {
    await spend(from)
    const response = await ask('/proxy/http://127.0.0.1:1/', from)
    // Only a refusal ends by itself.
    const reader = (response.body as ReadableStream<Uint8Array>).getReader()
    const first = new TextDecoder().decode((await reader.read()).value)
    await reader.cancel()
    return first.includes('"status":50301') && { type: response.headers.get('content-type'), text: first }
  })
  expect(type).toStartWith('text/event-stream')
  expect(text).toContain('"status":50301')
})

test('Weir’s own workers are never limited; impostors without the token are', async () => {
  const from = stranger()
  const worker = { [WORKER_HEADER]: '1' }
  await spend(from, { ...worker, Authorization: 'Bearer wrong-and-long-enough' })
  expect((await ask('/api/status', from, { headers: worker })).status).toBe(200)
})

test('event streams are limited per client and in total, and slots are released on leaving', async () => {
  const left: AbortController[] = []
  const subscribe = async (from: string, path = '/events') => {
    const leaving = new AbortController()
    const response = await ask(path, from, { signal: leaving.signal })
    if (response.status === 200) left.push(leaving)
    return response
  }
  const [one, other, third] = [stranger(), stranger(), stranger()]
  const paths = ['/events', '/api/topology/events', '/streams/live?ids=']
  for (const path of paths) expect((await subscribe(one, path)).status).toBe(200)
  for (const path of [...paths, '/home/live']) {
    const refused = await subscribe(one, path)
    if (refused.status === 404) continue
    expect(refused.status).toBe(429)
    expect(await refused.json()).toMatchObject({
      code: 'too_many',
      detail: expect.stringContaining('MAX_SUBSCRIBERS_PER_CLIENT'),
    })
  }
  for (const path of paths) expect((await subscribe(other, path)).status).toBe(200)
  const full = await subscribe(third)
  expect(full.status).toBe(503)
  expect(await full.json()).toMatchObject({ detail: expect.stringContaining('MAX_SUBSCRIBERS)') })
  for (const leaving of left.splice(0)) leaving.abort()
  await until('there is room again', async () => (await subscribe(stranger())).status === 200)
  for (const leaving of left) leaving.abort()
})
