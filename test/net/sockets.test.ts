import { afterAll, beforeAll, expect, test } from 'bun:test'
import { Egress, type EgressDeps } from '../../src/net/egress.ts'
import { socketFetch } from '../../src/streams/ingest/websocket/handshake.ts'
import { type HttpProxy, startHttpProxy } from '../support/http-proxy.ts'
import { type SocketUpstream, startSocketUpstream } from '../support/socket-upstream.ts'
import { makeCertificate, type TestCertificate } from '../support/tls.ts'

let plain: SocketUpstream
let secure: SocketUpstream
let certificate: TestCertificate
let proxy: HttpProxy

beforeAll(async () => {
  certificate = await makeCertificate(30)
  plain = startSocketUpstream()
  secure = startSocketUpstream({ tls: certificate })
  proxy = await startHttpProxy()
})

afterAll(async () => {
  await plain.stop()
  await secure.stop()
  await proxy.stop()
})

const portOf = ({ url }: SocketUpstream) => new URL(url).port
const own = { has: () => false }

/** Opens a WebSocket. @returns the status of the response */
async function open(url: string, deps: Partial<EgressDeps>, tls: { ca?: string } = {}): Promise<number> {
  const egress = new Egress({ allowHosts: [], isOpen: false, own, ...deps })
  const connect: Egress['connect'] = (to, options) => egress.connect(to, { ...options, tls })
  const { status } = await socketFetch(connect, undefined, ({ socket }) => socket.destroy())(url, {})
  return status
}

test.each(['ws://127.0.0.1:1/', 'ws://[::ffff:10.0.0.1]/', 'wss://169.254.169.254/', 'ws://2130706433/'])(
  'a private address is refused: %s',
  async (url) => {
    await expect(open(url, {})).rejects.toMatchObject({ code: 'not_allowed' })
    await expect(new Egress({ allowHosts: [], isOpen: false, own }).check(url)).rejects.toMatchObject({
      code: 'not_allowed',
    })
  },
)

test('a name that leads to a private address is refused, and so is an address of this machine', async () => {
  const lookup = async () => ['10.1.2.3']
  await expect(open('ws://rebound.test/', { lookup })).rejects.toMatchObject({ code: 'not_allowed' })
  const here = { lookup: async () => ['8.8.8.8'], own: { has: (address: string) => address === '8.8.8.8' } }
  await expect(open('ws://here.test/', here)).rejects.toMatchObject({ code: 'not_allowed' })
})

test('a host is resolved once, and the socket leads to the address that was checked', async () => {
  let lookups = 0
  const lookup = async () => {
    lookups++
    return ['127.0.0.1']
  }
  const url = `ws://pinned.test:${portOf(plain)}/`
  expect(await open(url, { lookup, allowHosts: ['pinned.test'] })).toBe(101)
  expect(lookups).toBe(1)
  expect(plain.requests.at(-1)?.headers.get('host')).toBe(`pinned.test:${portOf(plain)}`)
})

test('fetch opens no WebSockets', async () => {
  const { fetch } = new Egress({ allowHosts: [], isOpen: true })
  await expect(fetch(plain.url, {})).rejects.toMatchObject({ code: 'not_allowed' })
})

test('a certificate is verified for the host', async () => {
  const url = `wss://localhost:${portOf(secure)}/`
  await expect(open(url, { isOpen: true })).rejects.toThrow()
  const lookup = async () => ['127.0.0.1']
  expect(await open(url, { isOpen: true, lookup }, { ca: certificate.cert })).toBe(101)
  const other = `wss://other.test:${portOf(secure)}/`
  await expect(open(other, { isOpen: true, lookup }, { ca: certificate.cert })).rejects.toMatchObject({
    code: 'ERR_TLS_CERT_ALTNAME_INVALID',
  })
})

test('a proxy is asked for a tunnel, with and without TLS', async () => {
  const proxies = { http: proxy.url, https: proxy.url, bypass: [] }
  const deps = { isOpen: true, proxies }
  expect(await open(`ws://beyond.test:${portOf(plain)}/`, deps)).toBe(101)
  expect(proxy.seen.at(-1)?.line).toBe(`CONNECT beyond.test:${portOf(plain)}`)
  const seen = proxy.seen.length
  // It tunnels to this machine; the certificate is for localhost alone.
  await expect(open(`wss://beyond.test:${portOf(secure)}/`, deps, { ca: certificate.cert })).rejects.toThrow(
    /cert/i,
  )
  expect(proxy.seen.length).toBeGreaterThanOrEqual(seen)
  // Unless the operator names it, a host must be allowed by what it resolves to.
  const closed = { proxies, lookup: async () => ['10.0.0.1'] }
  await expect(open('ws://inside.test/', closed)).rejects.toMatchObject({ code: 'not_allowed' })
})

test('an aborted request opens nothing', async () => {
  const { connect } = new Egress({ allowHosts: [], isOpen: true })
  const signal = AbortSignal.abort(new Error('no longer wanted'))
  await expect(connect(plain.url, { signal })).rejects.toThrow('no longer wanted')
})
