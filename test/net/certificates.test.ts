import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { X509Certificate } from 'node:crypto'
import { DAY_MS, HOUR_MS } from '../../src/core/time.ts'
import { Certificates } from '../../src/net/certificates.ts'
import { Egress, type EgressFetch } from '../../src/net/egress.ts'
import { makeCertificate, type TestCertificate } from '../support/tls.ts'

describe('certificates', () => {
  let made: TestCertificate
  let server: Bun.Server<undefined>
  /** The client's port of each request: a kept connection has the same. */
  const ports: number[] = []

  beforeAll(async () => {
    made = await makeCertificate(9)
    server = Bun.serve({
      ...{ port: 0, hostname: '127.0.0.1', tls: made },
      fetch: (request, at) => {
        ports.push(at.requestIP(request)?.port ?? 0)
        return new Response('{}')
      },
    })
  })
  afterAll(() => server.stop(true))

  /** A fetch that trusts the test's certificate. */
  const trusting: EgressFetch = (url, init) => fetch(url, { ...init, tls: { ca: made.cert, ...init.tls } })

  async function ask(egress: Egress, host = 'localhost') {
    const response = await egress.fetch(`https://${host}:${server.port}/`, {})
    await response.text()
  }

  test('are read from the connections that requests use, and again after an hour', async () => {
    let now = Date.now()
    const certificates = new Certificates(() => now)
    const egress = new Egress({ allowHosts: [], isOpen: true, fetch: trusting, certificates })
    const url = `https://localhost:${server.port}/any`
    expect(certificates.of(url)).toBeUndefined()
    ports.length = 0
    for (let times = 0; times < 4; times++) await ask(egress)
    const truth = new X509Certificate(made.cert)
    const expiresAt = Date.parse(truth.validTo)
    expect(Math.abs(expiresAt - (now + 9 * DAY_MS))).toBeLessThan(DAY_MS)
    expect(certificates.of(url)).toEqual({ expiresAt, issuer: 'Weir test', seenAt: now })
    expect(new Set(ports.slice(1)).size).toBe(1)
    const readAt = now
    now += HOUR_MS - 1
    await ask(egress)
    expect(certificates.of(url)?.seenAt).toBe(readAt)
    now += 1
    await ask(egress)
    expect(certificates.of(url)?.seenAt).toBe(now)
  })

  test('are read from every connection to a checked address', async () => {
    let now = Date.now()
    const certificates = new Certificates(() => now)
    const egress = new Egress({
      ...{ allowHosts: ['localhost'], isOpen: false, fetch: trusting, certificates },
      own: { has: async () => false } as never,
      lookup: async () => ['127.0.0.1'],
    })
    await ask(egress)
    expect(certificates.of(`https://localhost:${server.port}/`)?.issuer).toBe('Weir test')
    now += 1
    await ask(egress)
    expect(certificates.of(`https://localhost:${server.port}/`)?.seenAt).toBe(now)
  })

  test('are no reason to trust a host: neither an unknown authority nor another name', async () => {
    const certificates = new Certificates()
    const naive = new Egress({ allowHosts: [], isOpen: true, certificates })
    expect(await ask(naive).then(String, ({ code }) => code)).toBe('DEPTH_ZERO_SELF_SIGNED_CERT')
    const elsewhere = new Egress({
      ...{ allowHosts: ['other.test'], isOpen: false, fetch: trusting, certificates },
      lookup: async () => ['127.0.0.1'],
    })
    expect(await ask(elsewhere, 'other.test').then(String, ({ code }) => code)).toBe(
      'ERR_TLS_CERT_ALTNAME_INVALID',
    )
    expect(certificates.of(`https://localhost:${server.port}/`)).toBeUndefined()
    expect(certificates.of(`https://other.test:${server.port}/`)).toBeUndefined()
  })

  test('http has none', () => {
    expect(new Certificates().watch(new URL('http://localhost/'), false)).toBeUndefined()
  })
})
