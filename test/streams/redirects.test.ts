import { afterAll, beforeAll, expect, test } from 'bun:test'
import { askUpstream, type UpstreamError } from '../../src/streams/ingest/upstream.ts'
import { responseOf, startCountingServer } from '../support/socket-server.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'

let here: Upstream
let there: Upstream

beforeAll(() => {
  here = startUpstream()
  there = startUpstream()
  for (const upstream of [here, there]) {
    upstream.on('/echo', async (request) =>
      Response.json({
        method: request.method,
        key: request.headers.get('x-key'),
        accept: request.headers.get('accept'),
        body: await request.text(),
      }),
    )
  }
})

afterAll(async () => {
  await here.stop()
  await there.stop()
})

const redirect = (status: number, location: string) => new Response('', { status, headers: { location } })

async function asked(path: string, stream: { method?: 'GET' | 'POST'; body?: string } = {}) {
  const { response } = await askUpstream(
    { url: here.url + path, method: 'GET', headers: { 'X-Key': 'secret' }, body: null, ...stream },
    { Accept: 'application/json' },
    { requestTimeoutMs: 5_000 },
    new AbortController().signal,
  )
  return response.json()
}

test('within its origin, a redirected request stays the same', async () => {
  here.on('/moved', () => redirect(308, '/echo'))
  expect(await asked('/moved', { method: 'POST', body: '{}' })).toEqual({
    method: 'POST',
    key: 'secret',
    accept: 'application/json',
    body: '{}',
  })
})

test('another origin isn’t sent the owner’s headers, not even after a redirect back', async () => {
  here.on('/away', () => redirect(302, `${there.url}/echo`))
  expect(await asked('/away')).toMatchObject({ key: null, accept: 'application/json' })
  here.on('/round', () => redirect(302, `${there.url}/back`))
  there.on('/back', () => redirect(302, `${here.url}/echo`))
  expect(await asked('/round')).toMatchObject({ key: null })
})

test.each([
  [301, 'GET', ''],
  [302, 'GET', ''],
  [303, 'GET', ''],
  [307, 'POST', '{}'],
  [308, 'POST', '{}'],
])('after a POST, %i is followed by %s', async (status, method, body) => {
  here.on(`/after-${status}`, () => redirect(status, '/echo'))
  expect(await asked(`/after-${status}`, { method: 'POST', body: '{}' })).toMatchObject({ method, body })
})

test.each([
  ['file:///etc/hostname', 'bad_redirect'],
  ['http://', 'bad_redirect'],
  ['/again', 'too_many_redirects'],
])('a redirect to %s is %s', async (location, code) => {
  here.on('/again', () => redirect(302, location))
  await expect(asked('/again')).rejects.toMatchObject({ code })
})

test('a redirect without a location is an ordinary response', async () => {
  here.on('/nowhere', () => Response.json({ here: true }, { status: 302 }))
  expect(await asked('/nowhere')).toEqual({ here: true })
})

test('heads and bodies of redirects count like those of the answer, to the byte', async () => {
  const server = await startCountingServer(({ path }) => {
    if (path === '/a') return responseOf('302 Found', { Location: '/b' }, 'x'.repeat(500))
    return path === '/b' ? responseOf('307 T', { Location: '/c' }, 'yy') : responseOf('200 OK', {}, '{}')
  })
  const answer = await requested(`${server.url}/a`)
  const body = await answer.response.text()
  expect(answer.headBytes + answer.redirectBytes + body.length).toBe(server.counts.written)
  expect(answer.redirectBytes).toBe(502)
  expect(answer.exchange.request.count).toBe(3)
  expect(answer.exchange.redirects).toMatchObject({ count: 2, bodyBytes: 502 })
  server.stop()
})

test('a redirect with an endless body is followed', async () => {
  const server = await startCountingServer(({ path, socket }) => {
    if (path !== '/a') return responseOf('200 OK', {}, '{}')
    const more = () => {
      while (socket.writable && socket.write('x'.repeat(16_384)));
    }
    socket.on('drain', more)
    setImmediate(more)
    return 'HTTP/1.1 302 Found\r\nLocation: /b\r\n\r\n'
  })
  const answer = await requested(`${server.url}/a`)
  expect(answer.response.status).toBe(200)
  expect(answer.redirectBytes).toBeGreaterThan(65_536)
  expect(answer.redirectBytes).toBeLessThan(4_194_304)
  server.stop()
})

test('what redirects moved counts, too, if nothing answers in the end', async () => {
  const server = await startCountingServer(() => responseOf('302 Found', { Location: 'file:///x' }, 'abc'))
  const error = await requested(`${server.url}/a`).catch((caught: unknown) => caught)
  const { code, wireBytes, headBytes, exchange } = error as UpstreamError
  expect([code, wireBytes, wireBytes + headBytes]).toEqual(['bad_redirect', 3, server.counts.written])
  expect(exchange?.request.bytes).toBe(server.counts.received)
  server.stop()
})

test('a host that refuses connections was sent nothing', async () => {
  const server = await startCountingServer(() => '')
  server.stop()
  const error = (await requested(server.url).catch((caught: unknown) => caught)) as UpstreamError
  expect([error.code, error.exchange?.request.bytes]).toEqual(['connection_failed', undefined])
})

function requested(url: string) {
  const stream = { url, method: 'GET', headers: {}, body: null } as const
  return askUpstream(stream, {}, { requestTimeoutMs: 5_000 }, new AbortController().signal)
}
