import { afterAll, beforeAll, expect, test } from 'bun:test'
import { rmSync } from 'node:fs'
import type { ApiDocument } from '../../src/routes/openapi/types.ts'
import { newDataDir } from '../support/data-dir.ts'
import { spawnWeir, type WeirProcess } from '../support/process.ts'
import { createDatabase, POSTGRES_BIN, startPostgres, type TestServer } from '../support/servers.ts'
import { until } from '../support/until.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'

/** Every place that a secret can be given at, with one that is there alone. */
const SECRETS = Object.fromEntries(
  [
    ...['WEIR_TOKEN', 'DATABASE_URL', 'S3_ACCESS_KEY_ID', 'S3_SECRET_ACCESS_KEY', 'PUBLIC_URL'],
    ...['header', 'sse header', 'proxied header', 'look header', 'imported header', 'changed header'],
    ...['webhook url', 'slack url', 'ntfy token', 'mail password', 'cookie of an upstream', 'wrong token'],
  ].map((place) => [place, `hush${crypto.randomUUID().replaceAll('-', '')}`]),
) as Record<string, string>
const WEBHOOK_KEY = Buffer.from(crypto.randomUUID()).toString('base64')
/** Of URLs and bodies, which are what a stream is: people must see what is asked. They are shown with it, and nowhere else. */
const IN_URL = `shown${crypto.randomUUID().replaceAll('-', '')}`
const IN_BODY = `shown${crypto.randomUUID().replaceAll('-', '')}`
const SHOWS_DEFINITIONS =
  /^\/(api\/)?(streams|twins|savings|incidents|pulse)(\/|\?|$)|^\/($|\?)|^\/api\/(overview|look|measures)|^\/jobs\/api\/queues\?activeQueue=streams&/
/** Answered for ever: enough of them is read to see what they begin with. */
const READ_MS = 1_500

let directory: string
let postgres: TestServer | undefined
let upstream: Upstream
let weir: WeirProcess
let url: string
const outputs = new Map<string, string>()
const asToken = { Authorization: `Bearer ${SECRETS.WEIR_TOKEN}` }

beforeAll(async () => {
  directory = await newDataDir('weir-secrets-')
  upstream = startUpstream()
  postgres = POSTGRES_BIN === undefined ? undefined : await startPostgres()
  const database = postgres && (await createDatabase(postgres))
  // Says back what it was sent, as services do that want to help.
  const echo = (request: Request) => [...request.headers].map(([name, value]) => `${name}=${value}`).join(' ')
  upstream.on('/bucket/weir', (request) => new Response(request.url, { status: 403 }))
  upstream.on('/json', () => Response.json({ at: Date.now() }))
  upstream.on(
    '/helpful',
    (request) =>
      new Response('[]', {
        headers: {
          'Content-Type': 'application/json',
          'X-You-Sent': echo(request).replace(/[^\x20-\x7e]/g, ''),
          'Set-Cookie': `session=${SECRETS['cookie of an upstream']}`,
        },
      }),
  )
  upstream.on(
    '/denied',
    (request) =>
      new Response(echo(request), { status: 401, statusText: `No ${request.headers.get('x-key')}` }),
  )
  upstream.on('/elsewhere', (request) => {
    const key = request.headers.get('x-key') ?? ''
    return Response.redirect(`${upstream.url}/denied?you=${key}`, 302)
  })
  upstream.on('/sse', () => new Response('data: 1\n\n', { headers: { 'Content-Type': 'text/event-stream' } }))
  weir = spawnWeir({
    WEIR_TOKEN: SECRETS.WEIR_TOKEN as string,
    DATA_DIR: directory,
    ...(database && { DATABASE_URL: database.replace('weir@', `weir:${SECRETS.DATABASE_URL}@`) }),
    S3_ENDPOINT: `${upstream.url}/bucket`,
    S3_BUCKET: 'weir',
    S3_ACCESS_KEY_ID: SECRETS.S3_ACCESS_KEY_ID as string,
    S3_SECRET_ACCESS_KEY: SECRETS.S3_SECRET_ACCESS_KEY as string,
    PUBLIC_URL: `http://me:${SECRETS.PUBLIC_URL}@localhost:9/`,
  })
  url = await weir.url()
}, 120_000)
afterAll(async () => {
  weir.child.kill()
  await weir.ended()
  await Promise.all([upstream.stop(), postgres?.stop()])
  rmSync(directory, { recursive: true, force: true })
})

/** Asks, and keeps what is answered: headers too. */
async function ask(method: string, path: string, body?: unknown, more: Record<string, string> = {}) {
  const response = await fetch(url + path, {
    method,
    redirect: 'manual',
    headers: { ...asToken, ...(body !== undefined && { 'Content-Type': 'application/json' }), ...more },
    body: body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body),
  })
  const text = await startOf(response)
  const name = `${method} ${path}`
  outputs.set(name, `${outputs.get(name) ?? ''}${JSON.stringify([...response.headers])}\n${text}`)
  return { status: response.status, text, json: () => JSON.parse(text) }
}

async function startOf(response: Response): Promise<string> {
  const reader = response.body?.getReader()
  const decoder = new TextDecoder()
  const isStream = response.headers.get('content-type')?.includes('event-stream')
  const timer = setTimeout(() => void reader?.cancel(), isStream ? READ_MS : 30_000)
  let text = ''
  for (;;) {
    const { done, value } = (await reader?.read()) ?? { done: true }
    if (done) break
    text += decoder.decode(value, { stream: true })
  }
  clearTimeout(timer)
  return text
}

/** Gives Weir every secret, and has it use them. */
async function giveAll(): Promise<Record<string, string>> {
  const key = (name: string) => ({ 'X-Key': SECRETS[name] as string })
  const query = `?api_key=${IN_URL}`
  const register = async (body: Record<string, unknown>) =>
    (await ask('POST', '/api/streams', { kind: 'poll', intervalMs: 500, ...body })).json().id as string
  const helpful = await register({ url: `${upstream.url}/helpful${query}`, headers: key('header') })
  const others = [
    await register({ url: `${upstream.url}/denied`, headers: key('header'), method: 'POST', body: IN_BODY }),
    await register({ url: `${upstream.url}/elsewhere`, headers: key('header') }),
    await register({ url: `${upstream.url}/sse`, kind: 'sse', headers: key('sse header') }),
    await register({ url: 'http://127.0.0.1:1/', headers: key('header') }),
  ]
  await register({ url: `${upstream.url}/json`, headers: key('header'), twin: true })
  await ask('PATCH', `/api/streams/${others[0]}`, { headers: key('changed header') })
  await ask('POST', '/api/streams', { url: 'http://127.0.0.1/', headers: { 'X Key': SECRETS.header } })
  await ask('POST', '/api/streams', { url: 'http://127.0.0.1/', headers: { 'X-Key': [SECRETS.header] } })
  for (const path of ['/helpful', '/denied', '/elsewhere']) {
    await ask('POST', '/api/streams/preview', { url: upstream.url + path, headers: key('look header') })
  }
  const imported = [{ url: `${upstream.url}/denied?2`, kind: 'poll', headers: key('imported header') }]
  await ask('POST', '/api/streams/import', imported)
  const sent = `X-Sd-Header=${encodeURIComponent(`X-Key: ${SECRETS['proxied header']}`)}`
  await ask('GET', `/proxy/${upstream.url}/helpful?${sent}&X-Sd-Token=${SECRETS.WEIR_TOKEN}`)
  await ask('GET', `/proxy/${upstream.url}/denied?${sent}`)
  const channels = [
    {
      kind: 'webhook',
      config: { url: `${upstream.url}/hook/${SECRETS['webhook url']}`, secret: `whsec_${WEBHOOK_KEY}` },
    },
    { kind: 'slack', config: { url: `${upstream.url}/hook/${SECRETS['slack url']}` } },
    { kind: 'ntfy', config: { url: upstream.url, topic: 'weir', token: SECRETS['ntfy token'] } },
    {
      kind: 'email',
      config: {
        ...{ host: '127.0.0.1', port: 1, user: 'me', password: SECRETS['mail password'] },
        ...{ from: 'a@a.test', to: ['b@b.test'] },
      },
    },
  ]
  const made: string[] = []
  for (const { kind, config } of channels) {
    const { json } = await ask('POST', '/api/channels', { name: kind, kind, config })
    made.push(json().id)
    await ask('POST', `/api/channels/${json().id}/test`, {})
    await ask('POST', '/api/channels', { name: kind, kind, config: { ...config, nonsense: config } })
  }
  await ask('POST', '/api/archive/test', {})
  await fetch(`${url}/api/streams`, { headers: { Authorization: `Bearer ${SECRETS['wrong token']}` } })
  await fetch(`${url}/login`, {
    method: 'POST',
    body: new URLSearchParams({ key: SECRETS['wrong token'] as string }),
  })
  const { json } = await ask('POST', '/api/keys', { name: 'Programs', scope: 'admin' })
  SECRETS['API key'] = json().secret
  outputs.delete('POST /api/keys')
  await fetch(`${url}/api/streams`, { headers: { Authorization: `Bearer ${SECRETS['API key']}` } })
  const kinds = new Set<string>()
  await until('all of it is in the log', async () => {
    const { items } = (await ask('GET', `/api/streams/${others[0]}/logs?limit=50`)).json()
    for (const { kind } of items) kinds.add(kind)
    const mine = (await ask('GET', `/api/streams/${helpful}/logs?limit=50`)).json()
    return kinds.has('error') && mine.items.length > 0
  })
  return { id: helpful, channel: made[0] as string, denied: others[0] as string, key: json().id }
}

/** All that can be asked for: what the document describes, and the pages. */
async function readAll(ids: Record<string, string>): Promise<void> {
  const document = (await ask('GET', '/openapi/json')).json() as ApiDocument
  const routes = Object.entries(document.paths).filter(([, methods]) => 'get' in methods)
  const paths = routes.map(([path]) => path).filter((path) => !path.includes('proxy'))
  const pages = [
    ...['/', '/streams', '/streams/new', `/streams/${ids.id}`, `/streams/${ids.denied}`, '/streams/import'],
    ...[`/streams/${ids.id}/edit`, '/channels', `/channels/${ids.channel}`, '/channels/new', '/incidents'],
    ...[
      '/rules',
      '/silences',
      '/topology',
      '/settings',
      '/storage',
      '/archive',
      '/openapi',
      '/twins',
      '/login',
    ],
    ...['/keys', '/audit', '/jobs', '/jobs/api/queues?activeQueue=streams&status=latest&page=1'],
    ...['/jobs/api/queues?activeQueue=deliveries&status=latest&page=1', '/metrics', '/readyz', '/nothing'],
    ...['json', 'ndjson', 'csv'].map((format) => `/api/streams/export?format=${format}`),
    `/streams/new?url=${encodeURIComponent(`${upstream.url}/helpful`)}`,
  ]
  for (const path of [...paths, ...pages]) {
    for (const stream of [ids.id, ids.denied]) {
      const asked = path
        .replace(/channels\/\{id\}/, `channels/${ids.channel}`)
        .replace(/keys\/\{id\}/, `keys/${ids.key}`)
      const html = { Accept: path.startsWith('/api') ? '*/*' : 'text/html' }
      await ask('GET', asked.replace('{id}', stream as string).replace(/\{[^}]+\}/g, '1'), undefined, html)
      if (!path.includes('{id}')) break
    }
  }
}

test('secrets appear nowhere', async () => {
  const ids = await giveAll()
  await readAll(ids)
  outputs.set('the output of the process', weir.output())
  const found = [...Object.entries(SECRETS), ['webhook key', WEBHOOK_KEY] as const].flatMap(
    ([place, secret]) => {
      const shapes = [
        secret,
        btoa(secret),
        encodeURIComponent(secret),
        Bun.CryptoHasher.hash('sha256', secret, 'hex'),
      ]
      return [...outputs]
        .filter(([, text]) => shapes.some((shape) => text.includes(shape)))
        .map(
          ([output, text]) =>
            `${place}: ${output}: …${text.slice(text.search(secret) - 60, text.search(secret) + 10)}`,
        )
    },
  )
  expect(found).toEqual([])
  // Enough was looked at, and most of it was there.
  expect(outputs.size).toBeGreaterThan(80)
}, 120_000)

test('URL and body are shown with their stream and nowhere else', () => {
  const shown = [...outputs].filter(([, text]) => text.includes(IN_URL) || text.includes(IN_BODY))
  const elsewhere = shown
    .map(([name]) => name)
    .filter((name) => !SHOWS_DEFINITIONS.test(name.split(' ')[1] ?? ''))
  expect(elsewhere).toEqual([])
  expect(shown.length).toBeGreaterThan(3)
})

test('a key with scope read gets no header values by exporting', async () => {
  const { secret } = (await ask('POST', '/api/keys', { name: 'Reader', scope: 'read' })).json()
  outputs.delete('POST /api/keys')
  const exported = (query: string, key: string | undefined) =>
    fetch(`${url}/api/streams/export${query}`, { headers: { Authorization: `Bearer ${key}` } })
  expect((await exported('?secrets=true', secret)).status).toBe(403)
  expect(await (await exported('?secrets=true', SECRETS.WEIR_TOKEN)).text()).toContain(
    SECRETS['sse header'] as string,
  )
  expect(await (await exported('', secret)).text()).not.toContain(SECRETS['sse header'] as string)
})
