import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'bun:test'
import { rmSync } from 'node:fs'
import { createClient } from '../../src/client/client.ts'
import { spawnCli } from '../cli/support.ts'
import { newDataDir } from '../support/data-dir.ts'
import { type HttpProxy, startHttpProxy } from '../support/http-proxy.ts'
import { spawnWeir, type WeirProcess } from '../support/process.ts'
import { createDatabase, startPostgres } from '../support/servers.ts'
import { isSkipped, SETUPS } from '../support/setups.ts'
import { until } from '../support/until.ts'
import { Feed, startUpstream, type Upstream } from '../support/upstream.ts'
import type { LoggedEntry } from '../support/weir.ts'

const TOKEN = 'a-secret-of-sixteen-chars'
const HOOK_SECRET = `whsec_${Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64')}`
const headers = { Authorization: `Bearer ${TOKEN}`, 'Content-Type': 'application/json' }

let proxy: HttpProxy
let upstream: Upstream
let directory: string
const started: WeirProcess[] = []

beforeAll(() => {
  upstream = startUpstream()
  upstream.on('/json', () => Response.json({ at: performance.now() }))
  upstream.on('/events', () => new Feed().response({}, 'id: 1\ndata: first\n\n'))
  upstream.on('/hook', () => new Response('taken'))
  upstream.on('/v1/traces', () => Response.json({}))
})
beforeEach(async () => {
  proxy = await startHttpProxy()
  directory = await newDataDir('weir-environment-')
})
afterEach(async () => {
  for (const { child } of started) child.kill('SIGKILL')
  await Promise.all(started.splice(0).map((weir) => weir.ended()))
  await proxy.stop()
  rmSync(directory, { recursive: true, force: true })
})
afterAll(() => upstream.stop())

function start(environment: Record<string, string>): WeirProcess {
  const weir = spawnWeir({ DATA_DIR: directory, ...environment })
  started.push(weir)
  return weir
}

/** As a company's machine has them. */
const company = () => ({
  ...{ HTTP_PROXY: proxy.url, http_proxy: proxy.url, HTTPS_PROXY: proxy.url, ALL_PROXY: proxy.url },
  NO_PROXY: 'excluded.test',
})
/** The upstream under another name, which only the proxy knows. */
const at = (host: string, path: string) => `http://${host}:${new URL(upstream.url).port}${path}`
const lines = () => proxy.seen.map(({ line }) => line)

async function register(url: string, registration: Record<string, unknown>): Promise<string> {
  const response = await fetch(`${url}/api/streams`, {
    method: 'POST',
    headers,
    body: JSON.stringify(registration),
  })
  const { id } = (await response.json()) as { id: string }
  expect(response.status).toBe(201)
  return id
}

async function logs(url: string, id: string): Promise<LoggedEntry[]> {
  const response = await fetch(`${url}/api/streams/${id}/logs?limit=100`, { headers })
  return ((await response.json()) as { items: LoggedEntry[] }).items
}

const followed = (url: string, id: string) =>
  until('it is followed', async () => {
    const entries = await logs(url, id)
    const errors = entries.filter(({ kind }) => kind === 'error')
    expect(errors).toEqual([])
    return entries.some(({ kind }) => ['event', 'snapshot', 'patch'].includes(kind))
  })

/** The stream that measures another one through Weir's own proxy. */
const twinOf = async (url: string, id: string) =>
  until('it has a twin', async () => {
    const response = await fetch(`${url}/api/streams?limit=100`, { headers })
    const { items } = (await response.json()) as { items: { id: string; twinOf: string | null }[] }
    return items.find((each) => each.twinOf === id)?.id
  })

test('HTTP_PROXY is used for polls, event streams, previews and webhooks, and never for requests to Weir itself', async () => {
  const weir = start({
    ...company(),
    WEIR_TOKEN: TOKEN,
    OTEL_EXPORTER_OTLP_ENDPOINT: at('localhost', ''),
  })
  const url = await weir.url()
  const polled = await register(url, { url: at('api.test', '/json'), kind: 'poll', intervalMs: 1_000 })
  const streamed = await register(url, { url: at('api.test', '/events'), kind: 'sse' })
  const excluded = await register(url, { url: at('excluded.test', '/json'), kind: 'poll', intervalMs: 1_000 })
  const twin = await register(url, {
    ...{ url: at('127.0.0.1', '/json'), kind: 'poll', intervalMs: 1_000, twin: true },
  })
  for (const id of [polled, streamed, twin, await twinOf(url, twin)]) await followed(url, id as string)
  await until('a host that is excluded is looked for here, where nobody knows it', async () =>
    (await logs(url, excluded)).some(({ data }) => (data as { code?: string }).code === 'host_unknown'),
  )
  await fetch(`${url}/api/streams/preview`, {
    method: 'POST',
    headers,
    body: JSON.stringify({ url: at('preview.test', '/json') }),
  })
  const client = createClient({ url, token: TOKEN })
  const { data: channel, error } = await client.api.channels.post({
    ...{ name: 'hook', kind: 'webhook', config: { url: at('hooks.test', '/hook'), secret: HOOK_SECRET } },
  } as never)
  expect(error).toBeNull()
  await fetch(`${url}/api/channels/${(channel as unknown as { id: string }).id}/test`, {
    method: 'POST',
    headers,
  })
  await until('the webhook was sent', () => lines().some((line) => line.includes('hooks.test')))
  expect(lines()).toContain(`GET ${at('api.test', '/json')}`)
  expect(lines()).toContain(`GET ${at('api.test', '/events')}`)
  expect(lines()).toContain(`GET ${at('preview.test', '/json')}`)
  expect(lines().filter((line) => !/(api|preview|hooks)\.test/.test(line))).toEqual([])
  expect(JSON.stringify(proxy.seen)).not.toContain(TOKEN)
})

test('UPSTREAM_PROXY overrides HTTP_PROXY, and gets its credentials', async () => {
  const ours = await startHttpProxy()
  try {
    const named = ours.url.replace('http://', 'http://weir:pass%20word@')
    const weir = start({ ...company(), UPSTREAM_PROXY: named, UPSTREAM_NO_PROXY: '127.0.0.8' })
    const url = await weir.url()
    const polled = await register(url, { url: at('api.test', '/json'), kind: 'poll', intervalMs: 1_000 })
    await followed(url, polled)
    expect(ours.seen[0]?.headers['proxy-authorization']).toBe(`Basic ${btoa('weir:pass word')}`)
    const entries = JSON.stringify(await logs(url, polled))
    expect(entries + weir.output()).not.toContain('pass')
    expect(proxy.seen).toEqual([])
  } finally {
    await ours.stop()
  }
})

test('no session token from the environment is sent to S3', async () => {
  const asked: string[] = []
  using bucket = Bun.serve({
    ...{ port: 0, hostname: '127.0.0.1', reusePort: false },
    fetch(request) {
      asked.push(request.url)
      return new Response('', { status: 403 })
    },
  })
  const weir = start({
    ...company(),
    ...{ AWS_SESSION_TOKEN: 'hush-hush', S3_SESSION_TOKEN: 'hush-hush', AWS_REGION: 'nowhere-9' },
    ...{ AWS_ACCESS_KEY_ID: 'other', AWS_SECRET_ACCESS_KEY: 'other', AWS_ENDPOINT: 'http://127.0.0.1:9' },
    ...{ S3_ENDPOINT: bucket.url.origin, S3_BUCKET: 'weir', S3_ACCESS_KEY_ID: 'mine' },
    S3_SECRET_ACCESS_KEY: 'mine-too',
  })
  const url = await weir.url()
  await fetch(`${url}/api/archive/test`, { method: 'POST' })
  const query = new URL(asked[0] as string).searchParams
  expect(query.get('X-Amz-Credential')).toMatch(/^mine\/\d+\/us-east-1\//)
  expect(asked.join()).not.toMatch(/security-token|hush-hush/i)
  expect(proxy.seen).toEqual([])
})

test.each([
  ['NODE_TLS_REJECT_UNAUTHORIZED', '0'],
  ['BUN_CONFIG_VERBOSE_FETCH', 'curl'],
])('with %s=%s Weir doesn’t start and says why', async (name, value) => {
  const { code, output } = await start({ [name]: value }).ended()
  expect(code).toBe(1)
  expect(output).toContain(`${name}: `)
})

const [, onPostgres] = SETUPS
test.skipIf(onPostgres === undefined || isSkipped(onPostgres))(
  'a worker asks upstreams through the proxy, and Weir and Postgres directly, as the settings alone say',
  async () => {
    const postgres = await startPostgres()
    try {
      const shared = { DATABASE_URL: await createDatabase(postgres), WEIR_TOKEN: TOKEN }
      const web = start({ ...shared, ROLE: 'web' })
      const url = await web.url()
      start({
        ...shared,
        ...company(),
        ...{ ROLE: 'worker', PUBLIC_URL: url, ALLOW_HOSTS: 'api.test' },
        ...{ PGHOST: '203.0.113.1', PGPORT: '1', PGDATABASE: 'no', PGUSER: 'no', PGPASSWORD: 'no' },
        ...{ PGOPTIONS: '-c default_transaction_read_only=on', PGAPPNAME: 'hush-hush' },
      })
      const polled = await register(url, { url: at('api.test', '/json'), kind: 'poll', intervalMs: 1_000 })
      await followed(url, polled)
      expect(lines().every((line) => line.includes('api.test'))).toBe(true)
      expect(JSON.stringify(proxy.seen)).not.toContain(TOKEN)
    } finally {
      for (const { child } of started) child.kill('SIGKILL')
      await Promise.all(started.splice(0).map((weir) => weir.ended()))
      await postgres.stop()
    }
  },
)

test('the command line sends its token to the local Weir, and not to a proxy', async () => {
  const weir = start({ WEIR_TOKEN: TOKEN })
  const url = await weir.url()
  const cli = spawnCli(['ls'], { ...company(), NO_PROXY: '', WEIR_URL: url, WEIR_TOKEN: TOKEN })
  expect((await cli.ended()).code).toBe(0)
  // In clear, its token is nobody else's: it's sent to the Weir that it names, or nowhere.
  const elsewhere = { ...company(), WEIR_URL: 'http://weir.invalid:1', WEIR_TOKEN: TOKEN }
  expect((await spawnCli(['ls'], elsewhere).ended()).code).toBe(3)
  expect(proxy.seen).toEqual([])
  // By a tunnel it can be: what goes through it is encrypted.
  await spawnCli(['ls'], { ...elsewhere, WEIR_URL: 'https://weir.invalid:1' }).ended()
  expect(lines()).toEqual(['CONNECT weir.invalid:1'])
  expect(JSON.stringify(proxy.seen)).not.toContain(TOKEN)
})
