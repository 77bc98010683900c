import { afterAll, beforeAll, expect, test } from 'bun:test'
import { Cookies } from '../../../src/net/cookies.ts'
import { askUpstream, UpstreamError } from '../../../src/streams/ingest/upstream.ts'
import { startUpstream, type Upstream } from '../../support/upstream.ts'

let here: Upstream
let there: Upstream

beforeAll(() => {
  here = startUpstream()
  there = startUpstream()
  for (const upstream of [here, there])
    upstream.on('/echo', (request) => Response.json({ cookie: request.headers.get('cookie') }))
})

afterAll(async () => {
  await here.stop()
  await there.stop()
})

const redirect = (location: string, ...cookies: string[]) =>
  new Response('', { status: 302, headers: [['location', location], ...cookies.map(setCookie)] })
const setCookie = (value: string): [string, string] => ['set-cookie', value]

async function answer(url: string, headers: Record<string, string> = {}, cookies?: Cookies) {
  return askUpstream(
    { url, method: 'GET', headers, body: null },
    {},
    { requestTimeoutMs: 5_000 },
    new AbortController().signal,
    undefined,
    { ...(cookies && { cookies }) },
  )
}

const sent = async (url: string, headers?: Record<string, string>, cookies?: Cookies) =>
  (await (await answer(url, headers, cookies)).response.json()).cookie

test('a cookie that a redirect sets is sent to the redirect’s target', async () => {
  here.on('/gate', (request) =>
    request.headers.get('cookie') === 'gate=1'
      ? Response.json({ cookie: request.headers.get('cookie') })
      : redirect('/gate', 'gate=1; Path=/'),
  )
  expect(await sent(`${here.url}/gate`)).toBe('gate=1')
})

test('cookies keep to their path, host and scheme, and end when they expire', async () => {
  here.on('/many', () =>
    redirect(
      '/echo',
      'everywhere=1; Path=/',
      'below=1; Path=/below',
      'gone=1; Path=/; Max-Age=0',
      'secure=1; Path=/; Secure',
      '__Host-open=1; Path=/',
      'foreign=1; Path=/; Domain=example.com',
      'suffix=1; Path=/; Domain=com',
    ),
  )
  expect(await sent(`${here.url}/many`)).toBe('everywhere=1')
})

test('the owner’s own cookies come first, without those that the upstream replaced, at its own origin only', async () => {
  here.on('/renew', () => redirect('/echo', 'session=new; Path=/'))
  expect(await sent(`${here.url}/renew`, { Cookie: 'session=old; lang=en' })).toBe('lang=en; session=new')
  here.on('/leave', () => redirect(`${there.url.replace('127.0.0.1', 'localhost')}/echo`, 'a=1; Path=/'))
  expect(await sent(`${here.url}/leave`, { cookie: 'session=old' })).toBeNull()
})

test('by default, the next request begins without cookies', async () => {
  here.on('/once', () => redirect('/echo', 'once=1; Path=/'))
  expect(await sent(`${here.url}/once`)).toBe('once=1')
  expect(await sent(`${here.url}/echo`)).toBeNull()
})

test('a jar that is kept serves later requests, and survives being stored', async () => {
  const cookies = new Cookies()
  here.on('/login', () => redirect('/echo', 'id=7; Path=/', 'forever=1; Path=/; Max-Age=3600'))
  await sent(`${here.url}/login`, {}, cookies)
  expect(await sent(`${here.url}/echo`, {}, cookies)).toBe('id=7; forever=1')
  expect(await sent(`${here.url}/echo`, {}, new Cookies(cookies.serialize()))).toBe('id=7; forever=1')
})

test('a jar is bounded: the oldest cookies leave first, and larger ones aren’t taken', async () => {
  const cookies = new Cookies()
  const url = 'http://a.test/'
  await cookies.take(url, [`large=${'x'.repeat(4_096)}`])
  for (let index = 0; index < 60; index++) await cookies.take(url, [`n${index}=1`])
  const names = (await cookies.header(url)).split('; ')
  expect(names).toHaveLength(50)
  expect(names).not.toContain('n0=1')
  expect(names).toContain('n59=1')
  for (let index = 0; index < 20; index++) await cookies.take(url, [`wide${index}=${'x'.repeat(3_000)}`])
  expect(cookies.serialize().length).toBeLessThan(40_000)
  expect(await cookies.header(url)).toContain('wide19=')
})

test.each([
  ['https://shop.example.co.uk/', 'a=1; Domain=co.uk', ''],
  ['https://shop.example.co.uk/', 'a=1; Domain=example.co.uk', 'a=1'],
  ['https://me.github.io/', 'a=1; Domain=github.io', ''],
  ['https://shop.example.com/', 'a=1; Domain=other.com', ''],
  ['https://shop.example.com/', '__Host-a=1; Path=/; Secure', '__Host-a=1'],
  ['https://shop.example.com/', '__Host-a=1; Path=/; Secure; Domain=example.com', ''],
  ['https://shop.example.com/', '__Secure-a=1', ''],
  ['http://127.0.0.1/', 'a=1; Domain=0.0.1', ''],
])('at %s, %p is sent back as %p', async (url, set, sentBack) => {
  const cookies = new Cookies()
  await cookies.take(url, [set])
  expect(await cookies.header(url)).toBe(sentBack)
})

test('a cookie of a domain is sent to its hosts, one without to its own host only', async () => {
  const cookies = new Cookies()
  await cookies.take('https://a.example.com/', ['wide=1; Domain=example.com', 'own=1'])
  expect(await cookies.header('https://a.example.com/')).toBe('wide=1; own=1')
  expect(await cookies.header('https://b.example.com/')).toBe('wide=1')
  expect(await cookies.header('https://example.org/')).toBe('')
})

test('a stored jar has the same rules as before', async () => {
  const cookies = new Cookies()
  await cookies.take('https://localhost/', ['safe=1; Secure', 'plain=1'])
  const restored = new Cookies(cookies.serialize())
  expect(await restored.header('https://localhost/')).toBe('safe=1; plain=1')
  expect(await restored.header('http://localhost/')).toBe('plain=1')
})

test('a stored jar that can’t be read is an empty one', async () => {
  expect(await new Cookies('{"cookies":').header('http://a.test/')).toBe('')
  expect(await new Cookies('null').header('http://a.test/')).toBe('')
})

test('the log hides cookies, wherever the upstream repeats them', async () => {
  here.on('/secret', () => redirect('/repeat', 'key=a-long-cookie-value; Path=/'))
  here.on('/repeat', (request) =>
    Response.json(
      {},
      { headers: { 'x-echo': request.headers.get('cookie') ?? '', 'set-cookie': 'k=shown-value' } },
    ),
  )
  const { exchange } = await answer(`${here.url}/secret`)
  const logged = JSON.stringify(exchange)
  expect(logged).toContain('x-echo')
  expect(logged).not.toContain('a-long-cookie-value')
  expect(logged).not.toContain('shown-value')
})

test('an endless loop that sets a cookie each time ends', async () => {
  here.on('/loop', (_request, hits) => redirect('/loop', `n=${hits}; Path=/`))
  const failure = await answer(`${here.url}/loop`).catch((error: unknown) => error)
  expect(failure).toBeInstanceOf(UpstreamError)
  expect((failure as UpstreamError).code).toBe('too_many_redirects')
})
