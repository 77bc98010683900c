import { afterAll, beforeAll, expect, spyOn, test } from 'bun:test'
import { createApp } from '../../src/app.ts'
import { ACCESS } from '../../src/auth/access.ts'
import { SpanCalls } from '../../src/otlp/calls.ts'
import { servePages } from '../../src/serve.ts'
import { OwnOverlay } from '../../src/topology/own/overlay.ts'
import { Topology } from '../../src/topology/topology.ts'
import { sendRaw } from '../support/raw.ts'
import { until } from '../support/until.ts'
import { type Composed, compose, OWNER, TOKEN } from './composed.ts'

const JSON_TYPE = { 'Content-Type': 'application/json' }

let composed: Composed
let url: string
/** What `Bun.serve` was asked for. */
let served: Record<string, unknown>
/** Keys of the counts that processes share. */
const counted: string[] = []
const ends: string[] = []
const shared = {
  unshared: 0,
  async run(_script: unknown, keys: readonly string[]) {
    counted.push(...keys)
    // Without an answer, this process's own count decides; sign-in needs one.
    return keys.some((key) => key.startsWith('guesses:')) ? 0 : undefined
  },
}

beforeAll(async () => {
  composed = await compose({ PROXY_ORIGINS: 'https://app.test', RATE_LIMIT: '100', RATE_BURST: '10000' })
  const { context, parts } = composed
  await context.queues.open()
  await context.db.execute(`INSERT INTO weir.topology_services (id, kind, first_at, active_at, reported_at, updated_at)
    VALUES ('from before', 'service', now(), now(), now(), now())`)
  for (const [part, name] of [
    [Topology, 'topology'],
    [SpanCalls, 'spans'],
    [OwnOverlay, 'own parts'],
  ] as const) {
    const prototype = part.prototype as { close(): unknown }
    const { close } = prototype
    spyOn(prototype, 'close').mockImplementation(function (this: never) {
      ends.push(name)
      return close.call(this)
    })
  }
  const serve = spyOn(Bun, 'serve')
  await servePages({ ...context, counts: shared as never }, parts, 60)
  served = serve.mock.calls[0]?.[0] as never
  serve.mockRestore()
  url = context.address.url
})
afterAll(async () => {
  await composed.close()
  expect(ends).toEqual(['own parts', 'spans', 'topology'])
  await expect(fetch(`${url}/healthz`)).rejects.toThrow()
})

function ask(path: string, init: RequestInit = {}): Promise<Response> {
  return fetch(url + path, { ...init, headers: { ...OWNER, ...(init.headers as Record<string, string>) } })
}

function post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return ask(path, { method: 'POST', body: JSON.stringify(body), headers: { ...JSON_TYPE, ...headers } })
}

async function json<T>(path: string): Promise<T> {
  return (await ask(path)).json() as Promise<T>
}

test('connections and bodies are bounded, and the port is this server’s alone', () => {
  expect(served).toMatchObject({
    ...{ port: 0, hostname: '127.0.0.1', reusePort: false, development: false, idleTimeout: 60 },
    maxRequestBodySize: 67_108_864,
  })
})

test('every response has security headers; over https, browsers stay there', async () => {
  expect((await ask('/healthz')).headers.get('x-frame-options')).toBe('DENY')
  expect((await ask('/healthz')).headers.get('strict-transport-security')).toBeNull()
  const board = await (await ask('/jobs')).text()
  expect(board).toContain('</html>')
  expect(board).not.toMatch(/<link[^>]+href="https?:/)
  const { context, parts } = composed
  const own = { ...context, closers: { add: () => {} }, address: { self: '', url: '', listening() {} } }
  const config = { ...context.config, publicUrl: 'https://weir.test' }
  const serve = spyOn(Bun, 'serve')
  await servePages({ ...own, config } as never, parts, 60)
  const server = serve.mock.results[0]?.value as Bun.Server<unknown>
  serve.mockRestore()
  const response = await fetch(new URL('/healthz', server.url))
  await server.stop(true)
  expect(response.headers.get('strict-transport-security')).toBe('max-age=31536000')
})

test('a request with two hosts is refused, and a query decides no route', async () => {
  const two = { method: 'GET', target: '/healthz', headers: ['Host: a', 'Host: b'] }
  expect((await sendRaw(url, two)).status).toBe(400)
  const short = { method: 'GET', target: '/?a/healthz', headers: ['Host: a'] }
  expect((await sendRaw(url, short)).status).toBe(401)
})

test('strangers don’t learn which paths exist, and a route without a decision keeps Weir from starting', async () => {
  expect((await fetch(`${url}/api/nothing`)).status).toBe(401)
  expect((await ask('/api/nothing')).status).toBe(404)
  const decisions = ACCESS as Map<string, string>
  const known = decisions.get('GET /pulse') as string
  decisions.delete('GET /pulse')
  const { context, parts } = composed
  const doorless = { door: { isOpen: true }, keys: {}, cookie: {}, audit: {} }
  const deps = { ...parts, ...context, access: doorless, streams: {}, channels: {}, proxyOrigins: [] }
  try {
    await expect(
      createApp({ ...deps, queues: [], fetch, self: () => '', running: {}, version: '1' } as never),
    ).rejects.toThrow('GET /pulse')
  } finally {
    decisions.set('GET /pulse', known)
  }
})

test('a bug is logged, and its details aren’t sent', async () => {
  const report = spyOn(composed.parts.archive, 'report').mockRejectedValue(new Error('a detail'))
  const response = await ask('/api/archive')
  report.mockRestore()
  expect(response.status).toBe(500)
  expect(await response.json()).toMatchObject({ detail: 'Internal error. See the log of Weir.' })
  expect(composed.warnings.splice(0)).toEqual(['GET /api/archive Error: a detail'])
  const text = await (await ask('/metrics')).text()
  expect(text).toContain('weir_http_requests_total{method="GET",route="/api/archive",status="500"} 1')
})

test('changes are recorded with their outcome and address; refused ones aren’t', async () => {
  const made = await post('/api/keys', { name: 'A', scope: 'read' }, { 'X-Forwarded-For': '198.51.100.7' })
  expect(made.status).toBe(201)
  expect((await ask('/api/streams/none', { method: 'DELETE' })).status).toBe(404)
  const items = await until('it is complete', async () => {
    const { items } = await json<{ items: { route: string; status: number; address: string }[] }>(
      '/api/audit',
    )
    return items.every(({ status }) => status > 0) && items
  })
  expect(items.map(({ route, status, address }) => ({ route, status, address }))).toEqual([
    { route: '/api/keys', status: 201, address: '198.51.100.7' },
  ])
})

test('requests and wrong secrets are counted together with other processes', async () => {
  counted.length = 0
  const response = await ask('/api/status')
  expect(response.headers.get('ratelimit')).not.toBeNull()
  expect(counted.some((key) => !key.startsWith('guesses:'))).toBe(true)
  await fetch(`${url}/api/status`, { headers: { Authorization: 'Bearer a-wrong-token-of-some-length' } })
  expect(counted.some((key) => key.startsWith('guesses:'))).toBe(true)
})

test('an event stream ends with its key', async () => {
  const made = await post('/api/keys', { name: 'B', scope: 'read' })
  const { secret, id } = (await made.json()) as { secret: string; id: string }
  const stream = await fetch(`${url}/api/topology/events`, { headers: { Authorization: `Bearer ${secret}` } })
  expect(stream.status).toBe(200)
  expect((await ask(`/api/keys/${id}`, { method: 'DELETE' })).ok).toBe(true)
  // Ends, or this waits in vain.
  for await (const _ of stream.body as unknown as AsyncIterable<Uint8Array>);
})

test('the topology has what was stored, reported and drawn', async () => {
  const refresh = spyOn(OwnOverlay.prototype, 'refresh')
  const ids = async () =>
    (await json<{ services: { id: string }[] }>('/api/topology')).services.map(({ id }) => id)
  expect(await ids()).toContain('from before')
  expect(refresh).toHaveBeenCalled()
  refresh.mockRestore()
  const span = { traceId: '1'.repeat(32), spanId: '1'.repeat(16), kind: 2, name: 'x' }
  const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'by span' } }] }
  const sent = await post('/v1/traces', { resourceSpans: [{ resource, scopeSpans: [{ spans: [span] }] }] })
  expect(sent.status).toBe(200)
  expect(await ids()).toContain('by span')
})

test('requests that people cause stay within the egress rules', async () => {
  const { inner } = composed
  await post('/api/topology', { services: [{ id: 'inside', url: inner.url }] })
  const sent = await post('/topology/requests', { service: 'inside' })
  expect(await sent.json()).toMatchObject({ code: 'not_allowed' })
  composed.upstream.on('/leads-inside', () => Response.redirect(`${inner.url}/secret`, 302))
  await post('/api/streams/preview', { url: `${composed.upstream.url}/leads-inside` })
  expect(inner.requests.has('/secret')).toBe(false)
  expect(inner.requests.has('/activate')).toBe(false)
})

test('pages of allowed origins may use the proxy, others may not', async () => {
  const target = composed.upstream.on('/json', () => Response.json({ a: 1 }))
  const subscribe = async (origin: string) => {
    const ending = new AbortController()
    const headers = { Origin: origin, Authorization: `Bearer ${TOKEN}` }
    const response = await fetch(`${url}/proxy/${encodeURIComponent(target)}`, {
      headers,
      signal: ending.signal,
    })
    const allowed = response.headers.get('access-control-allow-origin')
    ending.abort()
    return allowed
  }
  expect(await subscribe('https://app.test')).toBe('https://app.test')
  expect(await subscribe('https://other.test')).toBeNull()
})

test('a private stream is nobody else’s; versions come from the archive too', async () => {
  const target = composed.upstream.on('/mine', () => Response.json({ a: 1 }))
  const registered = await post('/api/streams', { url: target, kind: 'poll', start: false })
  const { id } = (await registered.json()) as { id: string }
  await composed.context.db.execute(`UPDATE weir.streams
    SET proxy_key = 'key', headers = '{"x-key": "mine"}', owner = 'key:someone' WHERE id = '${id}'`)
  const made = await post('/api/keys', { name: 'C', scope: 'operate' })
  const { secret } = (await made.json()) as { secret: string }
  const headers = { Authorization: `Bearer ${secret}` }
  expect((await fetch(`${url}/api/streams/${id}`, { headers })).status).toBe(404)
  const entries = spyOn(composed.parts.archive.reader, 'entries')
  await ask(`/api/streams/${id}/versions`)
  expect(entries).toHaveBeenCalled()
  entries.mockRestore()
})

test('the topology shows the archive, next to what Weir follows', async () => {
  const target = composed.upstream.on('/shared', () => Response.json({ a: 1 }))
  expect((await post('/api/streams', { url: target, kind: 'poll', start: false })).status).toBe(201)
  const { services } = await until('it is drawn', async () => {
    const graph = await json<{ services: { id: string; kind: string }[] }>('/api/topology')
    return graph.services.some(({ id }) => id.startsWith('weir:')) && graph
  })
  expect(services.map(({ kind }) => kind)).toContain('archive')
})
