import { afterAll, beforeAll, expect, test } from 'bun:test'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { spawnWeir, type WeirProcess } from '../support/process.ts'
import { makeCertificate, type TestCertificate } from '../support/tls.ts'
import { until } from '../support/until.ts'

let made: TestCertificate
let upstream: Bun.Server<undefined>
let weir: WeirProcess
let url: string
const directory = mkdtempSync(join(tmpdir(), 'weir-certificates-'))

beforeAll(async () => {
  made = await makeCertificate(5)
  const trusted = join(directory, 'ca.pem')
  await Bun.write(trusted, made.cert)
  upstream = Bun.serve({
    ...{ port: 0, hostname: '127.0.0.1', tls: made, idleTimeout: 0 },
    fetch: ({ url: asked }) => {
      if (new URL(asked).pathname === '/poll') return Response.json({ ok: true })
      const body = new ReadableStream({ start: (to) => to.enqueue(new TextEncoder().encode('data: 1\n\n')) })
      return new Response(body, { headers: { 'Content-Type': 'text/event-stream' } })
    },
  })
  weir = spawnWeir({ DATA_DIR: join(directory, 'data'), NODE_EXTRA_CA_CERTS: trusted })
  url = await weir.url()
})
afterAll(async () => {
  weir.child.kill()
  await weir.ended()
  await upstream.stop(true)
  rmSync(directory, { recursive: true, force: true })
})

test.each(['poll', 'sse'])('the certificate of a %s stream is shown, counted and warned of', async (kind) => {
  const expiresAt = new Date(new X509Certificate(made.cert).validTo)
  const host = `localhost:${upstream.port}`
  const registered = await fetch(`${url}/api/streams`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ url: `https://${host}/${kind}`, kind, intervalMs: 500 }),
  })
  const { id } = (await registered.json()) as { id: string }
  const status = await until('the certificate is known', async () => {
    const answer = (await (await fetch(`${url}/api/streams/${id}/status`)).json()) as Status
    return answer.evidence.certificate === null ? undefined : answer
  })
  expect(status.evidence.certificate).toMatchObject({
    expiresAt: expiresAt.toISOString(),
    issuer: 'Weir test',
  })
  const page = await (await fetch(`${url}/streams/${id}`)).text()
  expect(page).toContain(`>${expiresAt.toISOString().slice(0, 10)}</time>`)
  const incident = await until('an incident opens', async () => {
    const { items } = (await (await fetch(`${url}/api/incidents?state=open`)).json()) as Incidents
    return items.find(({ cause }) => cause === 'certificate')
  })
  expect(incident).toMatchObject({ title: `${host}: certificate expires in 4 days`, host })
  const metrics = await until('the metric', async () => {
    const text = await (await fetch(`${url}/metrics`)).text()
    return text.includes('weir_certificate_expiry_timestamp_seconds{') ? text : undefined
  })
  const sample = `weir_certificate_expiry_timestamp_seconds{host="${host}"} ${expiresAt.getTime() / 1_000}`
  expect(metrics).toContain(sample)
})

interface Status {
  evidence: { certificate: { expiresAt: string; issuer: string } | null }
}
interface Incidents {
  items: { cause: string; title: string; host: string }[]
}
