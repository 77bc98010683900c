import { afterAll, beforeAll, expect, test } from 'bun:test'
import type { AddressInfo } from 'node:net'
import { createServer, type Server } from 'node:tls'
import type { Preview } from '../../../src/streams/preview/preview.ts'
import { responseOf } from '../../support/socket-server.ts'
import { type SocketUpstream, startSocketUpstream } from '../../support/socket-upstream.ts'
import { makeCertificate, type TestCertificate } from '../../support/tls.ts'
import { until } from '../../support/until.ts'
import { startUpstream, type Upstream } from '../../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../../support/weir.ts'

let upstream: Upstream
let sockets: SocketUpstream
let server: Server
let weir: TestWeir
let ours: TestCertificate
let client: TestCertificate

beforeAll(async () => {
  upstream = startUpstream()
  ;[weir, ours, client] = await Promise.all([
    startTestWeir(),
    makeCertificate(90, 'Server'),
    makeCertificate(90, 'Client'),
  ])
  upstream.on('/token', () => Response.json({ access_token: 'a-secret-token', token_type: 'Bearer' }))
  upstream.on('/api', (request) =>
    request.headers.get('authorization') === 'Bearer a-secret-token'
      ? Response.json({ echo: request.headers.get('authorization') })
      : new Response('', { status: 401 }),
  )
  sockets = startSocketUpstream({ tls: ours, onOpen: (socket) => void socket.send('{"n":1}') })
  const options = { ...ours, ca: client.cert, requestCert: true, rejectUnauthorized: false }
  server = createServer(options, (socket) => {
    socket.on('error', () => {})
    socket.on('data', () => {
      const subject = socket.getPeerCertificate()?.subject?.CN ?? null
      socket.end(responseOf('200 OK', {}, JSON.stringify({ subject })))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})

afterAll(async () => {
  await weir.close()
  await sockets.stop()
  await upstream.stop()
  server.close()
})

async function preview(body: Record<string, unknown>): Promise<Preview & { text: string }> {
  const response = await weir.send('POST', '/api/streams/preview', body)
  const text = await response.text()
  if (response.status !== 200) throw new Error(text)
  return { ...JSON.parse(text), text }
}

const oauth2 = (path = '/token') => ({
  type: 'oauth2',
  tokenUrl: `${upstream.url}${path}`,
  clientId: 'weir',
  clientSecret: 'the-client-secret',
})
const tls = () => ({ certificate: client.cert, key: client.key, ca: ours.cert })

test('a preview signs in as the stream would, and shows no secret', async () => {
  const url = `${upstream.url}/api`
  expect((await preview({ url })).problem?.code).toBe('bad_status')
  const { problem, answer, text } = await preview({ url, auth: oauth2() })
  expect(problem).toBeNull()
  // The request for the token is no redirect.
  expect(answer).toMatchObject({ status: 200, shape: 'json', redirects: [] })
  expect(text).not.toContain('a-secret-token')
  expect(text).not.toContain('the-client-secret')
})

test('a preview answers a Digest challenge', async () => {
  const url = upstream.on('/digest', ({ headers }) => {
    if (headers.get('authorization')?.includes('username="me"')) return Response.json([1])
    const challenge = 'Digest realm="r", nonce="n", qop="auth"'
    return new Response('', { status: 401, headers: { 'www-authenticate': challenge } })
  })
  const auth = { type: 'digest', username: 'me', password: 'a-password' }
  expect((await preview({ url, auth })).answer).toMatchObject({ status: 200, redirects: [] })
})

test('a token endpoint that refuses is the problem of a preview, with what to do next', async () => {
  upstream.on('/no-token', () => Response.json({ error: 'invalid_client' }, { status: 401 }))
  const { problem } = await preview({ url: `${upstream.url}/api`, auth: oauth2('/no-token') })
  expect(problem).toMatchObject({ code: 'auth_failed', message: expect.stringContaining('invalid_client') })
  expect(problem?.next).toContain('token endpoint')
})

test('a preview uses a client certificate and a private authority', async () => {
  const url = `https://localhost:${(server.address() as AddressInfo).port}/`
  expect((await preview({ url })).problem?.code).toBe('tls_failed')
  const { answer, text } = await preview({ url, tls: tls() })
  expect(JSON.parse(answer?.sample?.text ?? '')).toEqual({ subject: 'Client' })
  expect(text).not.toContain('PRIVATE KEY')
})

test('a preview doesn’t take what a stream couldn’t have', async () => {
  for (const [field, value] of [
    ['auth', { ...oauth2(), clientSecret: '•••' }],
    ['tls', { certificate: client.cert }],
  ] as const) {
    const response = await weir.send('POST', '/api/streams/preview', { url: upstream.url, [field]: value })
    expect(response.status).toBe(422)
    expect(await response.json()).toMatchObject({ code: 'invalid_field', field })
  }
})

test('a WebSocket signs in and uses its own certificates, in a preview and as a stream', async () => {
  const asked = { url: `${sockets.url}/feed`, auth: oauth2(), tls: tls() }
  const { problem, answer } = await preview(asked)
  expect(problem).toBeNull()
  expect(answer?.events.map(({ data }) => data)).toEqual(['{"n":1}'])
  const { id } = await weir.register(asked)
  await weir.entry(id, 'a message is logged', ({ kind }) => kind === 'event')
  await until('both have signed in', () => sockets.requests.length >= 2)
  expect(sockets.requests.map(({ headers }) => headers.get('authorization'))).toEqual(
    sockets.requests.map(() => 'Bearer a-secret-token'),
  )
  expect(JSON.stringify(await weir.logs(id))).not.toContain('a-secret-token')
})
