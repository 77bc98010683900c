import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eq, like } from 'drizzle-orm'
import { streams as table } from '../../drizzle/schema.ts'
import { ProxiedStreams } from '../../src/proxy/proxied.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { insertStreams, newStream } from '../../src/streams/registry/new-stream.ts'
import { testBus } from '../support/bus.ts'
import { openStorage } from '../support/data-dir.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

const TOKEN = 'a-secret-of-sixteen'
const PER_SECOND = 2
/** Five seconds' worth. */
const BURST = 10
const PER_KEY = 500

let upstream: Upstream
let weir: TestWeir
let directory: string
let storage: Storage
const leaving = new AbortController()

beforeAll(async () => {
  upstream = startUpstream()
  for (const path of ['/many', '/fast', '/look']) upstream.on(path, () => Response.json({ a: 1 }))
  weir = await startTestWeir({
    WEIR_TOKEN: TOKEN,
    ALLOW_HOSTS: '127.0.0.1',
    PROXY_RATE_PER_HOST: String(PER_SECOND),
  })
  directory = mkdtempSync(join(tmpdir(), 'weir-test-'))
  storage = await openStorage({ databaseUrl: undefined, dataDir: directory })
})

afterAll(async () => {
  leaving.abort()
  await weir?.close()
  await upstream?.stop()
  await storage?.close()
  rmSync(directory, { recursive: true, force: true })
})

async function newKey(scope: string): Promise<Record<string, string>> {
  const response = await fetch(`${weir.url}/api/keys`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${TOKEN}` },
    body: JSON.stringify({ name: scope, scope }),
  })
  const { secret } = (await response.json()) as { secret: string }
  return { Authorization: `Bearer ${secret}` }
}

/** The first event and `Retry-After`. */
async function subscribe(headers: Record<string, string>, target: string) {
  const response = await fetch(`${weir.url}/proxy/${upstream.url}${target}`, {
    headers,
    signal: leaving.signal,
  })
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  while (!/^event: (data|error)\n[\s\S]*\n\n/m.test(text)) {
    const { value, done } = (await reader?.read()) ?? { done: true }
    if (done) break
    text += value
  }
  return { text, retryAfter: response.headers.get('retry-after') }
}

async function refusalOf(look: () => Promise<Response>): Promise<Response> {
  for (let each = 0; each < 8 * BURST; each++) {
    const response = await look()
    if (response.status === 429) return response
    expect(response.status).toBe(200)
  }
  throw new Error('It was never refused')
}

test('a key with many targets on one host stays within the rate', async () => {
  const key = await newKey('read')
  const begun = performance.now()
  const answers = await Promise.all(
    Array.from({ length: 80 }, (_, each) => subscribe(key, `/many?n=${each}&intervalMs=86400000`)),
  )
  const refused = answers.filter(({ text }) => text.includes('"status":50301'))
  const seconds = (performance.now() - begun) / 1_000
  expect(80 - refused.length).toBeLessThanOrEqual(BURST + PER_SECOND * seconds)
  expect(refused[0]?.text).toContain('PROXY_RATE_PER_HOST')
  expect(refused[0]?.retryAfter).toBe('1')
  expect(upstream.requests.get('/many')?.length).toBe(80 - refused.length)
  expect((await subscribe(await newKey('read'), '/many?n=another')).text).toContain('event: data')
})

test('running polls count toward the rate', async () => {
  const key = await newKey('read')
  expect((await subscribe(key, '/fast?n=1&intervalMs=1000')).text).toContain('event: data')
  const second = await subscribe(key, '/fast?n=2&intervalMs=1000')
  expect(second.text).toContain(`1.0 of ${PER_SECOND} requests per second to 127.0.0.1`)
  expect(second.retryAfter).toBe('90')
  expect((await subscribe(key, '/fast?n=1&intervalMs=1000&mode=snapshot-only')).text).toContain('event: data')
})

test('previews count toward the rate', async () => {
  const key = await newKey('operate')
  const url = `${upstream.url}/look`
  const asked = { method: 'POST', body: JSON.stringify({ url }), headers: key }
  const refused = await refusalOf(() => fetch(`${weir.url}/api/streams/preview`, asked))
  expect(refused.headers.get('retry-after')).toBe('1')
  expect(await refused.json()).toMatchObject({ code: 'too_many' })
  const typed = { method: 'POST', body: new URLSearchParams({ url }), headers: key }
  const page = await refusalOf(() => fetch(`${weir.url}/streams/preview`, typed))
  expect(await page.text()).toContain('PROXY_RATE_PER_HOST')
})

test('a key with too many proxied APIs evicts its own only', async () => {
  const { db } = storage
  const kept = (name: string, owner: string) =>
    newStream({
      ...{ url: `http://${name}.test/`, kind: 'poll', alwaysOn: false, desired: 'idle' },
      ...{ proxyKey: name, owner },
    })
  const [full, other] = ['key:full', 'key:other']
  await insertStreams(db, [kept('others', other)])
  await insertStreams(
    db,
    Array.from({ length: PER_KEY }, (_, each) => kept(`full-${each}`, full)),
  )
  const control = { runLater: async () => {} }
  const proxied = new ProxiedStreams({ db, control, bus: testBus(), mayReach: async () => {} })
  const target = (name: string) => ({
    ...{ url: `http://${name}.test/`, intervalMs: 5_000, headers: {}, ignorePaths: [], arrayKeys: [] },
    payloadPointer: undefined,
  })
  await proxied.open(target('new'), full)
  expect(await db.$count(table, eq(table.owner, full))).toBe(PER_KEY)
  expect(await db.$count(table, eq(table.owner, other))).toBe(1)
  await db.update(table).set({ desired: 'running' }).where(like(table.url, 'http://full-%'))
  await db.update(table).set({ desired: 'running' }).where(like(table.url, 'http://new%'))
  await expect(proxied.open(target('newer'), full)).rejects.toMatchObject({ code: 'too_many' })
  expect((await proxied.open(target('newer'), other)).owner).toBe(other)
})
