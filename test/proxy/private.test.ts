import { afterAll, beforeAll, expect, test } from 'bun:test'
import { until } from '../support/until.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'
import { Subscriber } from './subscriber.ts'

const TOKEN = 'a-secret-of-sixteen'
const SECRET = 'alices-own-key-4711'
const BALANCE = 'balance-of-alice'
const PATH = '/mine-and-only-mine'
/** So often that it has changed and failed before the walk. */
const INTERVAL_MS = 500
/** Longest that the walk reads of an event stream, in milliseconds. */
const READ_MS = 1_500
/** Routes that are walked at a time. */
const WALKERS = 8

let upstream: Upstream
let weir: TestWeir
/** Of the proxied stream. */
let id: string
/** A name of the upstream that alice alone has asked for. */
let host: string
let secrets: Record<'alice' | 'bob' | 'operator' | 'admin', string>
const subscribers: Subscriber[] = []

beforeAll(async () => {
  upstream = startUpstream()
  upstream.on(PATH, ({ headers }, hits) => {
    if (headers.get('authorization') !== `Bearer ${SECRET}`) return Response.json({ error: 'not yours' })
    return hits % 5 === 4
      ? new Response('no', { status: 503 })
      : Response.json({ balance: BALANCE, filler: 'x'.repeat(500), [`member-${hits % 2}`]: hits })
  })
  weir = await startTestWeir({ WEIR_TOKEN: TOKEN, ALLOW_HOSTS: '127.0.0.1,localhost' })
  const [alice, bob, operator, admin] = await Promise.all([
    newKey('alice', 'read'),
    newKey('bob', 'read'),
    newKey('operator', 'operate'),
    newKey('admin', 'admin'),
  ])
  secrets = { alice, bob, operator, admin } as typeof secrets
  host = upstream.url.slice('http://'.length).replace('127.0.0.1', 'localhost')
  const apart = subscribe('alice', SECRET, `http://${host}/elsewhere`)
  const first = subscribe('alice', SECRET)
  await first.got('patch')
  await first.got('error')
  await apart.got('error')
  const { items } = await list('alice')
  id = items[0]?.id ?? ''
})

afterAll(async () => {
  for (const subscriber of subscribers) subscriber.leave()
  await weir?.close()
  await upstream?.stop()
})

async function newKey(name: string, scope: string): Promise<string> {
  const response = await fetch(`${weir.url}/api/keys`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${TOKEN}` },
    body: JSON.stringify({ name, scope }),
  })
  return ((await response.json()) as { secret: string }).secret
}

type Who = keyof typeof secrets
const as = (who: Who) => ({ Authorization: `Bearer ${secrets[who]}` })

function ask(who: Who, path: string, init: RequestInit & { headers?: Record<string, string> } = {}) {
  return fetch(weir.url + path, { redirect: 'manual', ...init, headers: { ...as(who), ...init.headers } })
}

async function list(who: Who, query = `q=${PATH.slice(1)}`) {
  const response = await ask(who, `/api/streams?${query}`)
  return (await response.json()) as { items: { id: string; url: string }[] }
}

function subscribe(who: Who, key: string | undefined, target = upstream.url + PATH): Subscriber {
  const subscriber = new Subscriber(`${weir.url}/proxy/${target}?intervalMs=${INTERVAL_MS}`, {
    ...as(who),
    ...(key !== undefined && { 'X-Sd-Header': `Authorization: Bearer ${key}` }),
  })
  subscribers.push(subscriber)
  return subscriber
}

/** What an answer says, of an event stream as much as comes in a while. */
async function textOf(response: Response): Promise<string> {
  if (!response.headers.get('content-type')?.startsWith('text/event-stream')) return response.text()
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  const timer = setTimeout(() => void reader?.cancel().catch(() => {}), READ_MS)
  let text = ''
  for (let chunk = await reader?.read(); chunk?.value !== undefined; chunk = await reader?.read()) {
    text += chunk.value
  }
  clearTimeout(timer)
  return text
}

test('a private stream is visible to its key and to admins', async () => {
  for (const who of ['alice', 'admin'] as const) {
    expect((await list(who)).items.map((item) => item.id)).toEqual([id])
    expect(await (await ask(who, `/api/streams/${id}/document`)).text()).toContain(BALANCE)
    expect(await (await ask(who, '/streams')).text()).toContain(id)
    expect((await (await ask(who, '/api/status')).json()) as object).toMatchObject({ streams: 2 })
  }
})

test('the home page shows it to admins only, because it is read once for many', async () => {
  expect(await (await ask('admin', '/')).text()).toContain(id)
  expect(await (await ask('alice', '/')).text()).not.toContain(id)
})

test.each(['bob', 'operator'] as const)('for %s there is no such stream', async (who) => {
  for (const query of [`q=${PATH.slice(1)}`, 'tag=proxy', 'sort=name', 'kind=poll', 'limit=500']) {
    expect((await list(who, query)).items).toEqual([])
  }
  expect((await (await ask(who, '/api/status')).json()) as object).toMatchObject({ streams: 0 })
  for (const part of [
    '',
    '/document',
    '/logs',
    '/events',
    '/status',
    '/versions',
    '/diff',
    '/size',
    '/change',
  ]) {
    expect((await ask(who, `/api/streams/${id}${part}`)).status).toBe(404)
  }
  for (const part of ['', '/live', '/document', '/entries/1', '/charts', '/incidents', '/edit']) {
    expect((await ask(who, `/streams/${id}${part}`)).status).toBe(404)
  }
  expect(await textOf(await ask(who, `/streams/live?ids=${id}`))).not.toContain('hx-partial')
})

test('another key can’t change it, alone or in bulk', async () => {
  const change = (method: string, path: string, body?: unknown) =>
    ask('operator', path, { method, body: body === undefined ? undefined : JSON.stringify(body) })
  expect((await change('PATCH', `/api/streams/${id}`, { name: 'mine' })).status).toBe(404)
  expect((await change('DELETE', `/api/streams/${id}`)).status).toBe(404)
  for (const action of ['start', 'stop', 'twin']) {
    expect((await change('POST', `/api/streams/${id}/${action}`)).status).toBe(404)
  }
  expect(await (await change('POST', '/api/streams/stop?tag=proxy')).json()).toEqual({
    matched: 0,
    changed: 0,
  })
  const named = await change('POST', '/api/streams/bulk', { action: 'stop', ids: [id] })
  expect(await named.json()).toMatchObject({ changed: 0, failures: [{ problem: { code: 'not_found' } }] })
  const matched = await change('POST', '/api/streams/bulk', { action: 'stop', filter: { tag: 'proxy' } })
  expect(await matched.json()).toMatchObject({ total: 0 })
  const twin = await change('POST', '/twins', undefined)
  expect(twin.status).toBe(404)
  const asForm = { 'Content-Type': 'application/x-www-form-urlencoded' }
  const made = await ask('operator', '/twins', { method: 'POST', body: `stream=${id}`, headers: asForm })
  expect(made.status).toBe(404)
  expect((await ask('alice', `/api/streams/${id}`)).status).toBe(200)
})

test('another key with the same URL gets the response to its own header', async () => {
  const [without, wrong, same] = [
    subscribe('bob', undefined),
    subscribe('bob', 'a-guess-of-bobs'),
    subscribe('bob', SECRET),
  ]
  expect((await without.got('data')).data).toEqual({ error: 'not yours' })
  expect((await wrong.got('data')).data).toEqual({ error: 'not yours' })
  // Who sends the secret itself has shown to know it; the rest stays with who came first.
  expect((await same.got('data')).data).toMatchObject({ balance: BALANCE })
  const shared = await until('streams of bob', async () => {
    const { items } = await list('bob')
    return items.length === 2 && items
  })
  expect(shared.map((item) => item.id)).not.toContain(id)
  // Asked for without a header, it is everybody's.
  expect((await list('operator')).items).toHaveLength(1)
})

test('knowing its ID reveals nothing', async () => {
  const send = (path: string, body: unknown) =>
    ask('operator', path, { method: 'POST', body: JSON.stringify(body) })
  const rule = { name: 'r', kind: 'unchanged', params: { forMs: 60_000 }, streamId: id }
  expect((await send('/api/rules', rule)).status).toBe(422)
  const imported = await send('/api/streams/import', [
    { id, url: `${upstream.url}/mine`, name: 'taken over' },
  ])
  const report = await imported.text()
  expect(report).toContain('This ID is already in use')
  expect(report).not.toContain(PATH)
  expect(await (await ask('admin', `/api/streams/${id}`)).json()).not.toMatchObject({ name: 'taken over' })
})

/** Where an id of a stream alone is shown, which opens nothing. */
const IDS_ALONE = /^(\/jobs|\/audit|\/api\/audit)/

test('no route shows another key the secret, the response, or the target', async () => {
  await ask('admin', `/api/streams/${id}`, { method: 'PATCH', body: JSON.stringify({ alwaysOn: true }) })
  const paths = weir.routes
    .filter(({ method }) => method === 'GET' || method === 'ALL')
    .map(({ path }) => path)
  expect(paths.length).toBeGreaterThan(60)
  const queries = ['', '?tag=proxy', `?q=${PATH.slice(1)}`, `?ids=${id}`]
  const told: string[] = []
  const walk = async (path: string) => {
    const target = path.replace(':id', id).replace(':seq', '1').replace('*', 'api/queues')
    for (const query of queries) {
      const response = await ask('operator', target + query)
      const text = await textOf(response)
      const found = [SECRET, BALANCE, 'member-', host, id].filter((part) => text.includes(part))
      // A refusal repeats what was asked for.
      if (found.join() === id && (IDS_ALONE.test(path) || response.status === 404)) continue
      if (found.length > 0) told.push(`${target}${query}: ${found}`)
    }
  }
  const left = paths.filter((path) => !path.startsWith('/proxy/')).values()
  const walker = async () => {
    for (const path of left) await walk(path)
  }
  await Promise.all(Array.from({ length: WALKERS }, walker))
  expect(told).toEqual([])
}, 60_000)
