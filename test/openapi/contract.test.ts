import { afterAll, beforeAll, expect, test } from 'bun:test'
import { type Everything, startEverything } from '../console/everything.ts'
import { type S3, startS3 } from '../support/s3.ts'
import { Contract } from './contract.ts'

const NDJSON = { Accept: 'application/x-ndjson' }
const PAST = '2026-01-01T00:00:00Z'
const FUTURE = '2999-01-01T00:00:00Z'

/** What no test of an hour's length can bring about, or what another one holds. */
const UNREACHED: Readonly<Record<string, string>> = {
  'POST /api/backup 200 application/gzip': 'binary: test/backup reads all of it',
  'POST /v1/traces 200 application/x-protobuf': 'binary: test/otlp holds it against the protocol itself',
}

let s3: S3
let everything: Everything
let contract: Contract

beforeAll(async () => {
  s3 = await startS3()
  everything = await startEverything(s3.environment)
  contract = await Contract.of(everything.weir.url)
})

afterAll(async () => {
  await everything.close()
  await s3.stop()
})

/** Asks for JSON. */
const get = <T = Record<string, unknown>>(path: string) => contract.ask<T>('GET', path)
const post = <T = Record<string, unknown>>(path: string, body?: unknown) =>
  contract.ask<T>('POST', path, { body })

test('streams respond as documented', async () => {
  const { polled, followed, upstream, feed } = everything
  const url = upstream.on('/more', () => Response.json({ more: 1 }))
  const { id } = await post<{ id: string }>('/api/streams', { url, twin: true, kind: 'poll', tags: ['more'] })
  await get(`/api/streams/${id}`)
  await contract.ask('PATCH', `/api/streams/${id}`, {
    body: { intervalMs: 1_000, retention: { maxEntries: 50 }, headers: { 'X-Key': 'secret' } },
  })
  await get('/api/streams?limit=2&sort=name')
  await post('/api/streams/preview', { url })
  await post('/api/streams/preview', { url: 'http://127.0.0.1:1/' })
  await post('/api/streams/preview', { url: upstream.url })
  await get(`/api/streams/${id}/twin`)
  await get(`/api/streams/${polled}/status`)
  await get(`/api/streams/${followed}/status`)
  await get('/api/status')
  await get(`/api/streams/${polled}/logs?limit=2`)
  await get(`/api/streams/${polled}/logs?kind=snapshot,patch&after=0`)
  await contract.ask('GET', `/api/streams/${polled}/logs`, { headers: NDJSON })
  feed.send('event: order\nid: 1\ndata: {"a":1}\n\n')
  await everything.weir.entry(followed, 'the event', ({ kind }) => kind === 'event')
  await get(`/api/streams/${followed}/logs`)
  const events = (lastEventId: string, names: string[]) =>
    contract.ask('GET', `/api/streams/${polled}/events?lastEventId=${lastEventId}`, { events: names })
  await events('0', ['entry'])
  await events('999999', ['gap'])
  for (const action of ['start', 'stop']) {
    await post(`/api/streams/${id}/${action}`)
    await post(`/api/streams/${action}?tag=more`)
  }
  await contract.ask('POST', '/api/streams/bulk', {
    body: { action: 'start', ids: [id, crypto.randomUUID()] },
  })
  const retag = { action: 'tag', tag: 'extra', filter: { tag: 'more' } }
  await contract.ask('POST', '/api/streams/bulk', { body: retag, headers: NDJSON })
  const lines = [{ url: upstream.url, kind: 'poll', start: false }, { url: 'ftp://nowhere' }]
  await post('/api/streams/import', lines)
  await contract.ask('POST', '/api/streams/import', { body: lines, headers: NDJSON })
  for (const format of ['json', 'ndjson', 'csv']) await get(`/api/streams/export?format=${format}`)
  await contract.ask('DELETE', `/api/streams/${id}`)
  const push = { kind: 'push', url: 'https://sender.test/', push: { scheme: 'none', idFrom: '/id' } }
  const made = await contract.ask<{ id: string }>('POST', '/api/streams', { body: push })
  const to = await contract.ask<{ url: string }>('POST', `/api/streams/${made.id}/push-url`)
  const { pathname } = new URL(to.url)
  for (let count = 0; count < 2; count++) await contract.ask('POST', pathname, { body: { id: 1 } })
  await contract.ask('DELETE', `/api/streams/${made.id}`)
  expect(contract.faults).toEqual([])
})

test('measures and documents respond as documented', async () => {
  const { polled, followed, weir, upstream } = everything
  const { id: quiet } = await weir.register({ url: upstream.url, kind: 'poll', start: false })
  await weir.entry(polled, 'it has changed', ({ changed }) => changed === true)
  for (const id of [polled, followed, quiet]) await get(`/api/streams/${id}/cache`)
  for (const id of [polled, followed, quiet]) await get(`/api/streams/${id}/report`)
  await contract.ask('GET', `/api/streams/${polled}/report`, { headers: NDJSON })
  await post(`/api/streams/${polled}/report/link`, { expiresInMs: 60_000 })
  const cost = { cpuMs: 2, leastMs: 1, mostMs: 3 }
  await post(`/api/streams/${polled}/cpu`, {
    ...{ subscribers: 10, seconds: 5, clients: { polling: 10, streaming: 10 } },
    recorded: { from: PAST, to: FUTURE, polls: 10, changes: 2 },
    ...{ polling: { plain: cost, gzip: cost, conditional: cost }, streaming: cost },
  })
  await get(`/api/streams/${polled}/cpu`)
  await get(`/api/streams/${polled}/report`)
  await get('/api/report?tag=shop')
  await contract.ask('GET', '/api/report?tag=shop', { headers: NDJSON })
  await post('/api/report/link', { tag: 'shop' })
  await contract.ask('DELETE', '/api/report/links')
  for (const measure of ['size', 'change', 'savings', 'latency', 'availability']) {
    for (const id of [polled, followed, quiet]) await get(`/api/streams/${id}/${measure}?step=minute`)
  }
  for (const measure of ['size', 'change', 'savings', 'availability']) await get(`/api/${measure}?tag=shop`)
  await post(`/api/streams/${quiet}/twin`)
  await get('/api/twins')
  await get(`/api/streams/${polled}/document`)
  const { headers } = await weir.get(`/api/streams/${polled}/document?at=seq:1`)
  const known = { 'If-None-Match': headers.get('etag') ?? '' }
  await contract.ask('GET', `/api/streams/${polled}/document?at=seq:1`, { headers: known })
  await get(`/api/streams/${polled}/diff?from=seq:1`)
  await get(`/api/streams/${polled}/versions?limit=1`)
  const proxied = upstream.on('/proxied', (_, hit) => Response.json({ hit, rest: 'x'.repeat(500) }))
  const path = `/proxy/${proxied}?intervalMs=500`
  await contract.ask('GET', path, { events: ['data', 'patch'] })
  await contract.ask('GET', path, { events: ['gap'], headers: { 'Last-Event-ID': 'what.1' } })
  await contract.ask('GET', '/proxy/ftp://nowhere', { events: ['error'] })
  expect(contract.faults).toEqual([])
})

test('channels and incidents respond as documented', async () => {
  const { channel, incident, polled, weir, upstream } = everything
  const url = upstream.on('/ntfy', () => new Response('no', { status: 500 }))
  const { id } = await post<{ id: string }>('/api/channels', { name: 'B', kind: 'ntfy', config: { url } })
  await get('/api/channels')
  await get(`/api/channels/${channel}`)
  await contract.ask('PATCH', `/api/channels/${id}`, { body: { isDefault: true, tags: ['b'] } })
  await post(`/api/channels/${id}/test`)
  await post(`/api/channels/${channel}/test`, { message: 'A test' })
  type Sent = { items: { id: string }[] }
  const { items } = await get<Sent>(`/api/channels/${channel}/deliveries?limit=1&status=delivered`)
  await get(`/api/channels/${id}/deliveries`)
  await post(`/api/deliveries/${items[0]?.id}/replay`)
  await weir.send('PATCH', `/api/streams/${polled}`, { notify: ['Night shift', 'B'] })
  await post(`/api/channels/${id}/suspend`)
  await post(`/api/streams/${polled}/notify`, { message: 'Look' })
  await post(`/api/channels/${id}/resume`)
  await contract.ask('DELETE', `/api/channels/${id}`)
  await get('/api/incidents?limit=1')
  await get(`/api/incidents/${incident}`)
  await post(`/api/incidents/${incident}/acknowledge`, { by: 'Ada', note: 'Mine' })
  await get(`/api/incidents/${incident}`)
  const rule = { name: 'Price', kind: 'condition', params: { pointer: '/hit', op: 'exists' }, tag: 'shop' }
  const made = await post<{ id: string }>('/api/rules', rule)
  await get('/api/rules')
  await get(`/api/rules/${made.id}`)
  await contract.ask('PATCH', `/api/rules/${made.id}`, { body: { isEnabled: false } })
  await contract.ask('DELETE', `/api/rules/${made.id}`)
  const schedule = { timeZone: 'Europe/Berlin', days: ['mon', 'sun'], from: '22:00', durationMinutes: 60 }
  const silence = await post<{ id: string }>('/api/silences', { reason: 'Backups', schedule })
  await get('/api/silences?past=true')
  await get(`/api/silences/${silence.id}`)
  await contract.ask('PATCH', `/api/silences/${silence.id}`, { body: { tag: 'shop' } })
  await contract.ask('DELETE', `/api/silences/${silence.id}`)
  expect(contract.faults).toEqual([])
})

test('topology, archive and operation respond as documented', async () => {
  const { upstream } = everything
  const faults = upstream.on('/svc/faults', () => Response.json({ latencyMs: 5 }))
  upstream.on('/svc/activate', () => Response.json({ done: true }))
  const service = { id: 'S', url: faults.replace('/faults', ''), group: 'lab' }
  const calls = [{ from: 'UI', to: 'S', status: 500, durationMs: 12 }]
  await post('/api/topology', { services: [service], calls })
  await get('/api/topology')
  await get(`/api/topology?at=${Date.now()}`)
  await get('/api/topology/timeline?points=5')
  await contract.ask('PUT', '/api/topology/declared', { body: { text: 'graph LR\nUI --> S' } })
  await get('/api/topology/declared')
  await contract.ask('DELETE', '/api/topology/declared')
  await contract.ask('GET', '/api/topology/events', { events: ['graph'] })
  const missed = { 'Last-Event-ID': '1' }
  const hearing = contract.ask('GET', '/api/topology/events', { events: ['gap', 'change'], headers: missed })
  const telling = contract.ask('GET', '/events', { events: ['message'] })
  let at = 0
  const painting = setInterval(() => {
    void everything.weir.send('POST', '/api/topology', { services: [{ id: `new-${++at}` }] })
  }, 200)
  await Promise.all([hearing, telling])
  clearInterval(painting)
  for (const method of ['GET', 'PUT', 'DELETE']) {
    const body = method === 'PUT' ? { latencyMs: 5 } : undefined
    await contract.ask(method, '/api/topology/services/S/faults', { body })
  }
  await get('/diagram')
  await post('/activate', { item: 'S', color: 'red' })
  await post('/topology/requests', { service: 'S' })
  await post('/v1/traces', { resourceSpans: [] })
  await get('/api/archive')
  await post('/api/archive/run')
  await post('/api/archive/test')
  await get('/api/storage')
  await get('/api/settings')
  const { id } = await post<{ id: string }>('/api/keys', { name: 'A', scope: 'read', expiresAt: FUTURE })
  await get('/api/keys')
  await get(`/api/keys/${id}`)
  await contract.ask('DELETE', `/api/keys/${id}`)
  await get('/api/audit?q=keys&limit=1')
  await get('/healthz')
  await get('/readyz')
  await contract.ask('GET', '/metrics')
  expect(contract.faults).toEqual([])
})

test('errors are problems with documented codes', async () => {
  const nobody = crypto.randomUUID()
  const { channel, incident, polled } = everything
  await get(`/api/streams/${nobody}`)
  await get('/api/streams?limit=none')
  await get(`/api/streams/${polled}/document?at=${PAST}`)
  await post('/api/streams', { url: 'ftp://nowhere' })
  await post('/api/streams', '{')
  await post('/api/streams', { url: 'http://127.0.0.1:1/' })
  await post('/api/channels', { name: 'Night shift', kind: 'ntfy', config: { url: 'http://127.0.0.1:9/' } })
  await post('/api/streams/import', 'x'.repeat(10))
  await post('/api/streams/bulk', { action: 'stop', filter: {}, atMost: 0 })
  await post('/api/topology', { services: [{ id: 'weir:x' }] })
  await get('/api/topology/services/nobody/faults')
  await post('/topology/requests', { service: 'UI' })
  await get(`/api/incidents/${nobody}`)
  await get(`/api/channels/${channel}/deliveries?status=lost`)
  const acknowledged = contract.ask('POST', `/api/incidents/${incident}/acknowledge`, { body: {} })
  await acknowledged
  const headers = { Origin: 'http://elsewhere.test' }
  await contract.ask('POST', '/api/archive/run', { headers })
  expect(contract.faults).toEqual([])
})

test('every operation has a response schema, and was checked against it', () => {
  expect(contract.silent()).toEqual([])
  const promised = contract.promised()
  const missed = promised.filter((each) => !contract.reached.has(each) && !(each in UNREACHED))
  expect(missed).toEqual([])
  expect(Object.keys(UNREACHED).filter((each) => !promised.includes(each))).toEqual([])
})
