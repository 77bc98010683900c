import { afterAll, beforeAll, expect, test } from 'bun:test'
import { until } from '../support/until.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

const TOKEN = 'a-secret-of-sixteen'
const AUTHORIZED = { Authorization: `Bearer ${TOKEN}` }

let upstream: Upstream
let weir: TestWeir
let base: string

beforeAll(async () => {
  upstream = startUpstream()
  const { port } = new URL(upstream.url)
  weir = await startTestWeir({ HOST: '0.0.0.0', WEIR_TOKEN: TOKEN, ALLOW_HOSTS: `127.0.0.1:${port}` })
  base = weir.url.replace('0.0.0.0', '127.0.0.1')
})

afterAll(async () => {
  await weir.close()
  await upstream.stop()
})

const proxied = (target: string) => fetch(`${base}/proxy/${target}`, { headers: AUTHORIZED })
const register = (url: string) =>
  fetch(`${base}/api/streams`, {
    method: 'POST',
    headers: AUTHORIZED,
    body: JSON.stringify({ url, kind: 'poll', intervalMs: 500 }),
  })

const PRIVATE = [
  'http://127.0.0.1:1/',
  'http://localhost:1/',
  'http://[::1]:1/',
  'http://0x7f.1:1/',
  'http://10.0.0.1/',
  'http://169.254.169.254/latest/meta-data/',
]

test.each(PRIVATE)('a Weir that others reach does not proxy %s', async (target) => {
  expect(await (await proxied(target)).text()).toContain('"status":40302')
})

test.each(PRIVATE)('nor follow it: %s', async (url) => {
  const response = await register(url)
  expect(response.status).toBe(422)
  expect(await response.json()).toMatchObject({ code: 'not_allowed', field: 'url' })
})

test('what the operator allows is followed', async () => {
  const url = upstream.on('/allowed', () => Response.json({ a: 1 }))
  const { body } = await proxied(`${url}?intervalMs=500`)
  let text = ''
  for await (const chunk of body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += chunk
    if (text.includes('event: data')) break
  }
  expect(text).toContain('data: {"a":1}')
})

test('a redirect can’t lead to a forbidden target', async () => {
  const url = upstream.on(
    '/lure',
    () => new Response('', { status: 302, headers: { location: PRIVATE[0] ?? '' } }),
  )
  const { id } = (await (await register(url)).json()) as { id: string }
  const entry = await until('the refusal is logged', async () => {
    const response = await fetch(`${base}/api/streams/${id}/logs?kind=error`, { headers: AUTHORIZED })
    const { items } = (await response.json()) as { items: { data: { code: string } }[] }
    return items[0]
  })
  expect(entry.data.code).toBe('not_allowed')
})
