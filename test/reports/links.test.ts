import { afterAll, beforeAll, expect, test } from 'bun:test'
import { createHmac } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ACCESS, isLinked } from '../../src/auth/access.ts'
import { LINK_READER } from '../../src/auth/caller.ts'
import { Links } from '../../src/auth/links.ts'
import { insertStreams, newStream } from '../../src/streams/registry/new-stream.ts'
import { Visibility } from '../../src/streams/registry/visibility.ts'
import { allRoutes } from '../auth/walk.ts'
import { openStorage } from '../support/data-dir.ts'
import { sendRaw } from '../support/raw.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

const TOKEN = 'a-secret-of-sixteen'
const DAY_MS = 86_400_000

let weir: TestWeir
let upstream: Upstream
let [id, other] = ['', '']
const now = Date.now()
let link: URL

beforeAll(async () => {
  upstream = startUpstream()
  weir = await startTestWeir({ WEIR_TOKEN: TOKEN, RATE_LIMIT: '0' })
  id = await registered('/one', 'one')
  other = await registered('/two', 'two')
  link = await share()
})

afterAll(async () => {
  await weir.close()
  await upstream.stop()
})

const bearer = (secret: string) => ({ Authorization: `Bearer ${secret}` })
const ask = (path: string, init: RequestInit = {}) => fetch(weir.url + path, { redirect: 'manual', ...init })
const owner = (method: string, path: string, body?: unknown, secret = TOKEN) =>
  ask(path, { method, headers: bearer(secret), ...(body !== undefined && { body: JSON.stringify(body) }) })

async function registered(path: string, name: string): Promise<string> {
  const url = upstream.on(path, (_, hit) => Response.json({ hit }))
  const answer = await owner('POST', '/api/streams', { url, kind: 'poll', intervalMs: 500, name })
  expect(answer.status).toBe(201)
  return ((await answer.json()) as { id: string }).id
}

async function share(body?: unknown): Promise<URL> {
  const answer = await owner('POST', `/api/streams/${id}/report/link`, body)
  expect(answer.status).toBe(201)
  expect(answer.headers.get('cache-control')).toBe('no-store')
  return new URL(((await answer.json()) as { url: string }).url)
}

/** The link, changed. */
function changed(change: (url: URL) => void): string {
  const url = new URL(link)
  change(url)
  return url.pathname + url.search
}

const as = (name: string, value: string) => changed(({ searchParams }) => searchParams.set(name, value))

test('a link opens its report without signing in, with GET and HEAD', async () => {
  const answer = await ask(link.pathname + link.search)
  expect(answer.status).toBe(200)
  expect(await answer.text()).toContain('<h1>one</h1>')
  expect(answer.headers.get('referrer-policy')).toBe('no-referrer')
  expect(answer.headers.get('cache-control')).toBe('no-store')
  expect((await ask(link.pathname + link.search, { method: 'HEAD' })).status).toBe(200)
  expect((await ask(link.pathname)).status).toBe(401)
})

const flip = (text: string) => (text.startsWith('A') ? `B${text.slice(1)}` : `A${text.slice(1)}`)

test.each<[string, () => string]>([
  [
    'another signature',
    () => changed(({ searchParams: q }) => q.set('signature', flip(q.get('signature') ?? ''))),
  ],
  [
    'a shorter signature',
    () => changed(({ searchParams: q }) => q.set('signature', (q.get('signature') ?? '').slice(1))),
  ],
  ['an empty signature', () => as('signature', '')],
  ['no signature', () => changed(({ searchParams: q }) => q.delete('signature'))],
  ['a later expiry', () => as('expires', new Date(now + 400 * DAY_MS).toISOString())],
  ['an expiry that is none', () => as('expires', 'never')],
  ['no expiry', () => changed(({ searchParams: q }) => q.delete('expires'))],
  ['another beginning', () => as('from', new Date(now - 30 * DAY_MS).toISOString())],
  ['another end', () => as('to', new Date(now - DAY_MS).toISOString())],
  [
    'the same beginning, written otherwise',
    () => as('from', (link.searchParams.get('from') ?? '').replace('Z', '+00:00')),
  ],
  ['a second beginning', () => changed(({ searchParams: q }) => q.append('from', '2020-01-01T00:00:00Z'))],
  ['a second signature', () => changed(({ searchParams: q }) => q.append('signature', 'x'))],
  ['another parameter', () => as('format', 'json')],
  [
    'another stream',
    () =>
      changed((url) => {
        url.pathname = `/streams/${other}/report`
      }),
  ],
  [
    'the stream’s page',
    () =>
      changed((url) => {
        url.pathname = `/streams/${id}`
      }),
  ],
  [
    'the figures',
    () =>
      changed((url) => {
        url.pathname = `/api/streams/${id}/report`
      }),
  ],
  [
    'the API',
    () =>
      changed((url) => {
        url.pathname = `/api/streams/${id}`
      }),
  ],
  [
    'a path that ends in it',
    () =>
      changed((url) => {
        url.pathname = `/x/streams/${id}/report`
      }),
  ],
])('a link doesn’t open %s', async (_, path) => {
  for (const method of ['GET', 'HEAD']) {
    const answer = await ask(path(), { method })
    expect([method, answer.status]).toEqual([method, 401])
  }
})

test('a link is only for reading', async () => {
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
    expect((await ask(link.pathname + link.search, { method })).status).toBe(401)
  }
})

test('the signature of a link opens no other route', async () => {
  expect(
    [...ACCESS].filter(([name]) => isLinked(...(name.split(' ') as [string, string]))).map(([name]) => name),
  ).toEqual(['GET /report', 'GET /streams/:id/report'])
  const needing = allRoutes().filter(
    ({ access, name }) => access !== 'open' && access !== 'token' && !/^ALL|proxy/.test(name),
  )
  for (const { method, path } of needing) {
    const { status } = await ask(path.replace(/[0-9a-f-]{36}/, id) + link.search, { method })
    const isReport = method === 'GET' && path.endsWith('/report') && path.startsWith('/streams/')
    expect([method, path, status]).toEqual([method, path, isReport ? 200 : 401])
  }
})

test('a short host name doesn’t change which path a link opens', async () => {
  const headers = ['Host: a']
  const hidden = `/api/streams?x=/streams/${id}/report&${link.searchParams}`
  expect((await sendRaw(weir.url, { method: 'GET', target: hidden, headers })).status).toBe(401)
  const target = link.pathname + link.search
  expect((await sendRaw(weir.url, { method: 'GET', target, headers })).status).toBe(200)
})

test('a wrong key isn’t let in by a link, and a browser learns that it is no longer valid', async () => {
  const path = link.pathname + link.search
  expect((await ask(path, { headers: bearer('weir_'.padEnd(48, 'x')) })).status).toBe(401)
  const page = await ask(as('signature', 'x'), { headers: { Accept: 'text/html' } })
  expect(page.status).toBe(401)
  expect(await page.text()).toContain('Ask for a new one.')
})

test('a link is valid for 30 days unless told otherwise, within bounds', async () => {
  const lasts = (url: URL) =>
    Date.parse(url.searchParams.get('expires') ?? '') - Date.parse(url.searchParams.get('to') ?? '')
  expect(Math.round(lasts(await share()) / DAY_MS)).toBe(30)
  expect(Math.round(lasts(await share({ expiresInMs: 7 * DAY_MS })) / DAY_MS)).toBe(7)
  for (const expiresInMs of [59_999, 0, -1, 367 * DAY_MS, 1.5, 'x']) {
    const { status } = await owner('POST', `/api/streams/${id}/report/link`, { expiresInMs })
    expect([expiresInMs, status]).toEqual([expiresInMs, 422])
  }
})

test('a link ends when it expires, and only opens what it was signed for', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'weir-test-'))
  const storage = await openStorage({ databaseUrl: undefined, dataDir: directory })
  let clock = now
  const random = (bytes: Uint8Array) => crypto.getRandomValues(bytes as Uint8Array<ArrayBuffer>)
  const links = new Links({ db: storage.db, now: () => clock, random })
  const [from, to, expires] = [-DAY_MS, 0, 60_000].map((ms) => new Date(now + ms).toISOString()) as [
    string,
    string,
    string,
  ]
  const request = (query: URLSearchParams) => new Request(`http://localhost/?${query}`)
  // Nothing is valid while there is no secret.
  const blank = new URLSearchParams({
    from,
    to,
    expires,
    signature: createHmac('sha256', '').update('').digest('base64url'),
  })
  expect(await links.opens(request(blank), 'a', 'b')).toBe(false)
  const signed = request(await links.sign({ route: 'a', subject: 'b', from, to, expires }))
  expect(await links.opens(signed, 'a', 'b')).toBe(true)
  expect(await links.opens(signed, 'b', 'b')).toBe(false)
  expect(await links.opens(signed, 'a', 'c')).toBe(false)
  clock = now + 59_999
  expect(await links.opens(signed, 'a', 'b')).toBe(true)
  clock = now + 60_000
  expect(await links.opens(signed, 'a', 'b')).toBe(false)
  await storage.close()
  rmSync(directory, { recursive: true, force: true })
})

test('sharing needs the scope operate, and ending all links the scope admin', async () => {
  const keyFor = async (scope: string) => {
    const answer = await owner('POST', '/api/keys', { name: scope, scope })
    return ((await answer.json()) as { secret: string }).secret
  }
  const [read, operate] = await Promise.all([keyFor('read'), keyFor('operate')])
  expect((await owner('POST', `/api/streams/${id}/report/link`, {}, read)).status).toBe(403)
  expect((await owner('POST', `/api/streams/${id}/report/link`, {}, operate)).status).toBe(201)
  expect((await owner('DELETE', '/api/report/links', undefined, operate)).status).toBe(403)
})

test('a private stream of the proxy can’t be shared, by others or its owner', async () => {
  const api = upstream.on('/private', () => Response.json({ mine: true }))
  const keyed = await owner('POST', '/api/keys', { name: 'Owner', scope: 'operate' })
  const { secret } = (await keyed.json()) as { secret: string }
  const another = await owner('POST', '/api/keys', { name: 'Other', scope: 'operate' })
  const { secret: others } = (await another.json()) as { secret: string }
  const leave = new AbortController()
  await fetch(`${weir.url}/proxy/${api}?intervalMs=500&x-sd-header=${encodeURIComponent('X-Key: mine')}`, {
    headers: bearer(secret),
    signal: leave.signal,
  })
  const listed = (await (await owner('GET', '/api/streams?q=private')).json()) as { items: { id: string }[] }
  leave.abort()
  const [stream] = listed.items
  const path = `/api/streams/${stream?.id}/report`
  expect((await owner('GET', path, undefined, secret)).status).toBe(200)
  expect((await owner('GET', path, undefined, others)).status).toBe(404)
  expect((await owner('POST', `${path}/link`, {}, others)).status).toBe(404)
  expect((await owner('POST', `${path}/link`, {}, secret)).status).toBe(409)
  expect((await owner('POST', `${path}/link`, {})).status).toBe(409)
})

test('revoking all links ends them at once', async () => {
  const path = link.pathname + link.search
  expect((await ask(path)).status).toBe(200)
  expect((await owner('DELETE', '/api/report/links')).status).toBe(204)
  expect((await ask(path)).status).toBe(401)
  link = await share()
  expect((await ask(link.pathname + link.search)).status).toBe(200)
})

test('a Weir without a token doesn’t take an invalid link for its owner', async () => {
  const open = await startTestWeir()
  const { id: stream } = await open.register({
    url: upstream.on('/open', () => Response.json(1)),
    kind: 'poll',
  })
  const made = await open.send('POST', `/api/streams/${stream}/report/link`)
  const { pathname, search } = new URL(((await made.json()) as { url: string }).url)
  expect((await open.get(pathname)).status).toBe(200)
  expect((await open.get(pathname + search)).status).toBe(200)
  expect((await open.get(`${pathname}${search}x`)).status).toBe(401)
  await open.close()
})

test('a reader by link is nobody’s owner: a private stream doesn’t exist for them', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'weir-test-'))
  const storage = await openStorage({ databaseUrl: undefined, dataDir: directory })
  const base = { kind: 'poll', url: 'https://api.test/', proxyKey: 'one' } as const
  const [mine, shared] = [
    newStream({ ...base, headers: { 'X-Key': 'mine' }, owner: 'key:someone' }),
    newStream({ ...base, proxyKey: 'two' }),
  ]
  await insertStreams(storage.db, [mine, shared])
  const visibility = new Visibility(storage.db)
  await visibility.check(LINK_READER, shared.id)
  await expect(visibility.check(LINK_READER, mine.id)).rejects.toThrow()
  await storage.close()
  rmSync(directory, { recursive: true, force: true })
})
