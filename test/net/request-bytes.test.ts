import { afterAll, beforeAll, expect, test } from 'bun:test'
import { Egress } from '../../src/net/egress.ts'
import { askUpstream, type UpstreamRequest } from '../../src/streams/ingest/upstream.ts'
import { type CountingServer, responseOf, startCountingServer } from '../support/socket-server.ts'

let server: CountingServer

beforeAll(async () => {
  server = await startCountingServer(({ path }) =>
    path.startsWith('/moved')
      ? responseOf('307 Moved', { Location: '/a?from=there' }, 'x'.repeat(500))
      : responseOf('200 OK', {}, '{}'),
  )
})

afterAll(() => server.stop())

const REQUESTS: readonly [string, Partial<UpstreamRequest>][] = [
  ['/a', {}],
  ['/a?b=c&d', { headers: { 'X-Key': 'ü is a byte', 'x-empty': '', 'X-Spaced': '  a  ' } }],
  ['/ä b?q=ü#part', {}],
  ['/a', { method: 'POST', body: '{"ä":1}', headers: { 'Content-Type': 'application/json' } }],
  ['/a', { method: 'POST', body: null }],
  ['/a', { method: 'POST', body: '' }],
  ['/a', { headers: { accept: 'text/plain', 'user-agent': 'own', Connection: 'close', Host: 'elsewhere' } }],
  ['/a', { headers: { 'Content-Length': '7', Cookie: 'a=b; c=d' } }],
  ['/moved', { method: 'POST', body: 'again' }],
]

/** A request by name, resolved to the server's address, as Weir sends it where destinations are checked. */
const pinned = () => {
  const { port } = new URL(server.url)
  const egress = new Egress({
    ...{ allowHosts: [`api.test:${port}`], isOpen: false, own: { has: async () => false } as never },
    lookup: async () => ['127.0.0.1'],
  })
  return { base: `http://api.test:${port}`, fetch: egress.fetch }
}

test.each(
  REQUESTS.flatMap(([path, request]) => [[path, request, false] as const, [path, request, true] as const]),
)(
  'the bytes of a request are those that the server received: %s %p, by name: %p',
  async (path, request, byName) => {
    const { base, fetch } = byName ? pinned() : { base: server.url, fetch: undefined }
    const before = { ...server.counts }
    const asked = { method: 'GET', headers: {}, body: null, url: base + path, ...request } as const
    const own = { 'Accept-Encoding': 'gzip' }
    const answer = await askUpstream(
      asked,
      own,
      { requestTimeoutMs: 10_000 },
      new AbortController().signal,
      fetch,
    )
    await answer.response.text()
    expect(answer.exchange.request.bytes).toBe(server.counts.received - before.received)
    expect(answer.exchange.request.count ?? 1).toBe(server.counts.requests - before.requests)
  },
)
