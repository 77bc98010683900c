import { afterAll, beforeAll, expect, test } from 'bun:test'
import type { AddressInfo } from 'node:net'
import { createServer, type Server } from 'node:tls'
import type { ClientTls } from '../../../src/core/sets/request-options.ts'
import { Egress } from '../../../src/net/egress.ts'
import { askUpstream, UpstreamError } from '../../../src/streams/ingest/upstream.ts'
import { responseOf } from '../../support/socket-server.ts'
import { makeCertificate, type TestCertificate } from '../../support/tls.ts'

let server: Server
let elsewhere: Server
let ours: TestCertificate
let client: TestCertificate
let url: string

const portOf = (of: Server) => (of.address() as AddressInfo).port

/** Names whoever connects, by the client certificate. */
async function listen(certificate: TestCertificate, status = '200 OK', location = '') {
  const options = { ...certificate, ca: client.cert, requestCert: true, rejectUnauthorized: false }
  const made = createServer(options, (socket) => {
    socket.on('error', () => {})
    socket.on('data', () => {
      const subject = socket.getPeerCertificate()?.subject?.CN ?? null
      socket.write(
        responseOf(status, location === '' ? {} : { Location: location }, JSON.stringify({ subject })),
      )
    })
  })
  await new Promise<void>((resolve) => made.listen(0, '127.0.0.1', resolve))
  return made
}

beforeAll(async () => {
  ;[ours, client] = await Promise.all([makeCertificate(90, 'Server'), makeCertificate(90, 'Client')])
  elsewhere = await listen(ours)
  server = await listen(ours)
  url = `https://localhost:${portOf(server)}/`
})

afterAll(() => {
  server.close()
  elsewhere.close()
})

const egresses = {
  'to any destination': new Egress({ allowHosts: [], isOpen: true }),
  'to checked destinations': new Egress({
    allowHosts: ['localhost'],
    isOpen: false,
    lookup: async () => ['127.0.0.1'],
  }),
}

async function ask(egress: Egress, tls: ClientTls | undefined, at = url) {
  const { response } = await askUpstream(
    { url: at, method: 'GET', headers: {}, body: null },
    {},
    { requestTimeoutMs: 5_000 },
    new AbortController().signal,
    egress.fetch,
    tls && { tls },
  )
  return response.json()
}

test.each(Object.entries(egresses))(
  '%s, the client certificate is shown and the authority trusted',
  async (_way, egress) => {
    const tls = { certificate: client.cert, key: client.key, ca: ours.cert }
    expect(await ask(egress, tls)).toEqual({ subject: 'Client' })
    // Nobody else may use that connection.
    expect(await ask(egress, { ca: ours.cert })).toEqual({ subject: null })
  },
)

test.each(Object.entries(egresses))(
  '%s, a private authority is trusted for its stream only',
  async (_way, egress) => {
    await ask(egress, { ca: ours.cert })
    const failure = await ask(egress, undefined).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(UpstreamError)
    expect((failure as UpstreamError).code).toBe('connection_failed')
  },
)

test('another origin isn’t shown the certificate, and its authority isn’t trusted there', async () => {
  const leading = await listen(ours, '302 Found', `https://localhost:${portOf(elsewhere)}/`)
  const tls = { certificate: client.cert, key: client.key, ca: ours.cert }
  const at = `https://localhost:${portOf(leading)}/`
  const failure = await ask(egresses['to any destination'], tls, at).catch((error: unknown) => error)
  expect((failure as UpstreamError).code).toBe('connection_failed')
  leading.close()
})
