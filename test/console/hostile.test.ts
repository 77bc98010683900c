import { afterAll, beforeAll, expect, test } from 'bun:test'
import type { Browser } from 'playwright-core'
import { openBrowser, openPage } from '../support/browser.ts'
import { describeInBrowser } from '../support/in-browser.ts'
import { until } from '../support/until.ts'
import { Feed, startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

/** Runs, or shows in the page, wherever it is taken for more than text. */
const EVIL = `"'><img src=x onerror="window.ran=1;alert(1)"><svg onload=alert(2)></svg></title></textarea></script><script>window.ran=1;alert(3)</script>\${alert(4)}{{alert(5)}}`
const EVIL_URL = 'javascript:window.ran=1;alert(6)//'
/** Without what names and tags may not hold. */
const EVIL_NAME = EVIL.replaceAll(',', ';').slice(0, 190)
const EVIL_TAG = '"><img src=x onerror=alert(7)>'
/** Pages of one kind that are looked at: they differ in what they hold, not in how it is shown. */
const OF_A_KIND = 3

let weir: TestWeir
let upstream: Upstream
let feed: Feed
let streams: string[]

beforeAll(async () => {
  upstream = startUpstream()
  feed = new Feed()
  weir = await startTestWeir()
  const document = (hit: number) => ({
    hit,
    [EVIL]: EVIL,
    link: EVIL_URL,
    list: [{ id: EVIL, name: `${hit}${EVIL}` }],
  })
  const headers = { 'X-Evil': EVIL, 'Content-Type': 'application/json' }
  upstream.on('/json', (_, hit) => new Response(JSON.stringify(document(hit)), { headers }))
  upstream.on(
    '/text',
    (_, hit) => new Response(`${EVIL}${hit}`, { headers: { 'Content-Type': 'text/plain' } }),
  )
  upstream.on(
    '/html',
    () => new Response(`<html>${EVIL}`, { headers: { 'Content-Type': `text/html; x=${EVIL}` } }),
  )
  upstream.on('/sse', () => feed.response())
  upstream.on('/error', () => new Response(EVIL, { status: 500, statusText: EVIL }))
  upstream.on('/hook', () => new Response(EVIL, { status: 500, headers: { 'X-Evil': EVIL } }))
  upstream.on('/activate', () => Response.json({ [EVIL]: EVIL, responses: [EVIL] }))
  const common = { name: EVIL_NAME, tags: [EVIL_TAG], intervalMs: 500, headers: { 'X-Mine': EVIL } }
  const paths = [`/json?q=${EVIL}`, '/text', '/html', '/error']
  streams = []
  for (const path of paths) {
    streams.push((await weir.register({ ...common, url: upstream.url + path, kind: 'poll' })).id)
  }
  streams.push((await weir.register({ ...common, url: `${upstream.url}/sse`, kind: 'sse' })).id)
  await weir.send('POST', `/api/streams/${streams[0]}/twin`)
  await until('the feed is read', () => feed.readers > 0)
  feed.send(
    `event: ${EVIL}\nid: ${EVIL}\ndata: ${EVIL}\n\n:${EVIL}\n\nevent: ${EVIL}\ndata: ${JSON.stringify(document(1))}\n\n`,
  )
  const config = { url: `${upstream.url}/hook`, secret: `whsec_${btoa('0123456789abcdef0123456789abcdef')}` }
  const added = await weir.send('POST', '/api/channels', {
    name: EVIL_NAME.slice(0, 90),
    kind: 'webhook',
    config,
  })
  const { id: channel } = (await added.json()) as { id: string }
  await weir.send('POST', `/api/channels/${channel}/test`, {})
  await weir.send('POST', `/api/streams/${streams[0]}/notify`, { message: EVIL })
  await weir.send('POST', '/api/rules', {
    name: EVIL_NAME.slice(0, 90),
    kind: 'errorRate',
    params: { above: 0.5 },
  })
  const endsAt = new Date(Date.now() + 3_600_000).toISOString()
  await weir.send('POST', '/api/silences', { reason: EVIL, tag: EVIL_TAG, endsAt })
  await weir.send('POST', '/api/keys', { name: EVIL_TAG, scope: 'read' })
  const id = EVIL_TAG
  const services = [
    { id, name: EVIL.slice(0, 100), url: upstream.url },
    { id: 'b]-->c;click b "javascript:alert(8)"', name: EVIL_TAG, group: EVIL_TAG },
    { id: 'c', url: EVIL_URL },
  ]
  for (const service of services) await weir.send('POST', '/api/topology', { services: [service] })
  await weir.send('POST', '/api/topology', {
    calls: [{ from: id, to: 'd"><script>alert(9)</script>', status: 500 }],
  })
  await weir.entry(streams[0] as string, 'it has changed', ({ changed }) => changed === true)
  await weir.entry(streams[4] as string, 'the event is in the log', ({ kind }) => kind === 'event')
}, 60_000)
afterAll(async () => {
  await weir.close()
  await upstream.stop()
})

test('every response keeps its content from running, pages above all', async () => {
  const html = { Accept: 'text/html' }
  const pages = [
    '/',
    '/streams',
    `/streams/${streams[0]}`,
    '/topology',
    '/jobs',
    '/openapi',
    '/nothing',
    '/settings',
  ]
  for (const path of pages) {
    const { headers } = await fetch(weir.url + path, { headers: html })
    const policy = headers.get('content-security-policy') ?? ''
    expect(`${path} ${policy}`).toMatch(/default-src 'none'/)
    expect(`${path} ${policy}`).toMatch(/script-src 'self'(;|$)/)
    expect(`${path} ${policy}`).toMatch(/frame-ancestors 'none'/)
    expect(`${path} ${policy}`).toMatch(/base-uri 'self'/)
    expect(headers.get('content-type')).toStartWith('text/html')
  }
  const data = [
    ...[
      '/api/streams',
      `/api/streams/${streams[0]}/document`,
      `/api/streams/${streams[0]}/logs`,
      '/openapi/json',
    ],
    ...['/api/streams/export?format=csv', '/api/nothing', '/healthz', `/api/streams/${streams[4]}/events`],
    ...[`/proxy/${upstream.url}/json`, '/diagram', '/jobs/api/queues'],
  ]
  for (const path of [...pages, ...data]) {
    const left = new AbortController()
    const { headers } = await fetch(weir.url + path, { signal: left.signal })
    left.abort()
    const said = (name: string) => `${path} ${name}: ${headers.get(name)}`
    // No browser shows an event stream, so those of the proxy, which are many, go without.
    if (path.startsWith('/proxy/')) {
      expect(said('content-type')).toEndWith(': text/event-stream; charset=utf-8')
      continue
    }
    expect(said('x-content-type-options')).toEndWith(': nosniff')
    expect(said('cross-origin-opener-policy')).toEndWith(': same-origin')
    expect(said('cross-origin-resource-policy')).toEndWith(': same-origin')
    expect(said('x-frame-options')).toEndWith(': DENY')
    expect(said('referrer-policy')).toEndWith(': same-origin')
    expect(said('content-security-policy')).toContain("default-src 'none'")
    if (!pages.includes(path)) expect(said('content-security-policy')).toEndWith('sandbox')
  }
  const exported = await weir.get('/api/streams/export?format=json')
  expect(exported.headers.get('content-disposition')).toStartWith('attachment')
})

describeInBrowser('in a browser', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await openBrowser()
  }, 60_000)
  afterAll(() => browser.close())

  test('no stored content runs on any page', async () => {
    const { page, faults, close } = await openPage(browser)
    await page.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', (event) => {
        console.error(`CSP ${event.violatedDirective} ${event.sourceFile}`)
      })
    })
    const look = `/streams/new?url=${encodeURIComponent(`${upstream.url}/json`)}`
    const waiting = [
      '/',
      look,
      '/jobs',
      '/openapi',
      '/settings',
      '/twins',
      `/streams?q=${encodeURIComponent(EVIL)}`,
    ]
    const kinds = new Map<string, number>()
    const seen = new Set<string>(waiting)
    const holding: string[] = []
    for (let path = waiting.shift(); path !== undefined; path = waiting.shift()) {
      const kind = path
        .replace(/\?.*/, '')
        .replace(/[0-9a-f-]{36}/g, ':id')
        .replace(/\/\d+(?=\/|$)/g, '/:n')
      if ((kinds.get(kind) ?? 0) >= OF_A_KIND) continue
      kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
      await page.goto(weir.url + path)
      if (kind === '/topology') await page.waitForSelector('svg .node', { state: 'attached' })
      const found = await page.evaluate(() => ({
        ran: 'ran' in window,
        foreign: [
          ...document.querySelectorAll('[onerror], [onload], script:not([src]), a[href^="javascript:"]'),
        ]
          .filter((each) => !/json/.test(each.getAttribute('type') ?? ''))
          .map((each) => each.outerHTML.slice(0, 200)),
        links: [...document.querySelectorAll<HTMLAnchorElement>('a[href^="/"]')].map((each) =>
          each.getAttribute('href'),
        ),
        isThere: document.body.innerHTML.includes('onerror'),
      }))
      if (found.isThere) holding.push(kind)
      expect({ path, ran: found.ran, foreign: found.foreign }).toEqual({ path, ran: false, foreign: [] })
      expect([path, ...faults.filter((fault) => !/Failed to load resource/.test(fault))]).toEqual([path])
      for (const link of found.links) {
        if (link === null || seen.has(link) || /^\/(api|assets|jobs|openapi|logout|\/)/.test(link)) continue
        seen.add(link)
        waiting.push(link)
      }
    }
    await close()
    // The payloads were there, as text.
    expect([...new Set(holding)].length).toBeGreaterThan(10)
  }, 180_000)
})
