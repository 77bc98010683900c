import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { OWNER } from '../../src/auth/caller.ts'
import { MAX_STREAMS, readTagReport } from '../../src/reports/tag-report.ts'
import { insertStreams, newStream } from '../../src/streams/registry/new-stream.ts'
import { cliOf } from '../cli/support.ts'
import { DESKTOP, openBrowser, openPage, PHONE, sidewaysScroll } from '../support/browser.ts'
import { openStorage } from '../support/data-dir.ts'
import { describeInBrowser } from '../support/in-browser.ts'
import { until } from '../support/until.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

const TOKEN = 'a-secret-of-sixteen'
const KEY = '8f14e45fceea167a5a36dedd4bea2543'
const EVIL = '<script>alert(1)</script>'
const DAY_MS = 86_400_000

interface Row {
  id: string
  subject: { name: string; url: string }
  meanBytes: number | null
  receivedBytes: number
  changed: number
  frequency: { perHour: number | null; words: string } | null
  availability: number | null
  saving: number | null
}
interface TagReport {
  from: string
  to: string
  streams: { total: number; shown: number }
  figures: { id: string; value: number | null; inputs: { of: string; known: number } }[]
  words: { savings: string | null }
  rows: Row[]
}

let weir: TestWeir
let upstream: Upstream
let ids: Record<string, string> = {}

beforeAll(async () => {
  upstream = startUpstream()
  weir = await startTestWeir({ WEIR_TOKEN: TOKEN, RATE_LIMIT: '0' })
  const body = (size: number) => (_: Request, hit: number) =>
    Response.json({ hit: Math.floor(hit / 2), rows: 'x'.repeat(size) })
  const failing = (_: Request, hit: number) =>
    hit % 2 === 0 ? new Response('no', { status: 500 }) : Response.json({ hit })
  ids = {
    small: await registered(upstream.on('/small', body(100)), 'small', ['shop']),
    large: await registered(`${upstream.on('/large', body(5_000))}?api_key=${KEY}`, `large ${EVIL}`, [
      'shop',
      'eu',
    ]),
    failing: await registered(upstream.on('/failing', failing), 'failing', ['shop']),
    other: await registered(upstream.on('/other', body(100)), 'other', ['else']),
  }
  const shop = [ids.small, ids.large, ids.failing] as string[]
  await untilEach(shop, 'size', ({ total }: { total: { entries: number } }) => total.entries >= 4)
  expect((await owner('POST', '/api/streams/stop?tag=shop')).status).toBe(200)
  await untilEach(shop, 'status', ({ status }: { status: string }) => status === 'stopped')
})

afterAll(async () => {
  await weir.close()
  await upstream.stop()
})

const bearer = (secret: string) => ({ Authorization: `Bearer ${secret}` })
const ask = (path: string, init: RequestInit = {}) => fetch(weir.url + path, { redirect: 'manual', ...init })
const owner = (method: string, path: string, body?: unknown, secret = TOKEN) =>
  ask(path, { method, headers: bearer(secret), ...(body !== undefined && { body: JSON.stringify(body) }) })
const untilEach = async <T>(some: string[], path: string, fits: (answer: T) => boolean) => {
  for (const id of some)
    await until(`${path} of ${id}`, async () =>
      fits((await (await owner('GET', `/api/streams/${id}/${path}`)).json()) as T),
    )
}
const reportOf = async (query: string, secret = TOKEN) =>
  (await (await owner('GET', `/api/report?${query}`, undefined, secret)).json()) as TagReport

async function registered(url: string, name: string, tags: string[]): Promise<string> {
  const answer = await owner('POST', '/api/streams', { url, kind: 'poll', intervalMs: 500, name, tags })
  expect(answer.status).toBe(201)
  return ((await answer.json()) as { id: string }).id
}

test('each row has the figures of the stream’s own report', async () => {
  const to = new Date().toISOString()
  const { rows, streams } = await reportOf(`tag=shop&to=${to}`)
  expect(streams).toEqual({ total: 3, shown: 3 })
  expect(rows.map(({ id }) => id)).toEqual([ids.failing, ids.large, ids.small] as string[])
  for (const row of rows) {
    const answer = await owner('GET', `/api/streams/${row.id}/report?to=${to}`)
    const { figures, words } = (await answer.json()) as {
      figures: { id: string; value: number | null }[]
      words: { frequency: string | null }
    }
    const of = new Map(figures.map(({ id, value }) => [id, value]))
    expect(row.meanBytes).toBe(of.get('size.meanBody') as number)
    expect(row.receivedBytes).toBe(of.get('size.received') as number)
    expect(row.availability).toBeCloseTo(of.get('availability.period') as number, 9)
    expect(row.saving).toBe(of.get('savings.client.conditional') as number)
    expect(row.frequency?.perHour ?? null).toBe(of.get('change.perHour') ?? null)
    expect(row.frequency?.words ?? null).toBe(words.frequency)
  }
})

test('totals and medians follow from the rows', async () => {
  const { rows, figures, words } = await reportOf('tag=shop')
  const known = (of: (row: Row) => number | null) => rows.map(of).filter((value) => value !== null)
  const sum = (values: number[]) => values.reduce((total, value) => total + value, 0)
  const middle = (values: number[]) => values.toSorted((a, b) => a - b)[1]
  const shares = known((row) => row.availability)
  const values = new Map(figures.map(({ id, value }) => [id, value]))
  expect(values.get('availability.mean')).toBeCloseTo(sum(shares) / 3, 12)
  expect(values.get('availability.median')).toBe(middle(shares) as number)
  expect(values.get('availability.lowest')).toBe(Math.min(...shares))
  expect(Math.min(...shares)).toBeLessThan(1)
  expect(values.get('size.received')).toBe(sum(known((row) => row.receivedBytes)))
  expect(values.get('size.median')).toBe(middle(known((row) => row.meanBytes)) as number)
  expect(values.get('savings.median')).toBe(middle(known((row) => row.saving)) as number)
  // As by the API's own total of the tag.
  const { from, to } = await reportOf('tag=shop')
  const total = await owner('GET', `/api/savings?tag=shop&step=day&from=${from}&to=${to}`)
  expect(values.get('savings.total')).toBe(((await total.json()) as { saving: number }).saving)
  expect(words.savings).toContain('polling with gzip and validators')
})

test('lines have the same as the JSON', async () => {
  const to = new Date().toISOString()
  const whole = await reportOf(`tag=shop&to=${to}`)
  const answer = await owner('GET', `/api/report?tag=shop&to=${to}&format=ndjson`)
  expect(answer.headers.get('content-type')).toBe('application/x-ndjson')
  const lines = (await answer.text())
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { type: string })
  const of = (type: string) => lines.filter((line) => line.type === type).map(({ type: _, ...rest }) => rest)
  expect(of('figure') as unknown).toEqual(whole.figures)
  expect(of('stream') as unknown).toEqual(whole.rows)
  expect(lines[0]).toMatchObject({ type: 'report', tag: 'shop', to })
})

test('the page is complete by itself, and hides what could be a key', async () => {
  const answer = await owner('GET', '/report?tag=shop')
  const html = await answer.text()
  expect(answer.headers.get('content-security-policy')).toStartWith("default-src 'none'; style-src 'sha256-")
  expect(answer.headers.get('referrer-policy')).toBe('no-referrer')
  expect(html).not.toMatch(/<(script|link|img|iframe|object|form|base)\b/i)
  expect(html).not.toMatch(/\s(src|href|style|on\w+)="/)
  expect(html).not.toContain(KEY)
  expect(html).toContain('api_key=•••')
  expect(html).toContain('3 streams: 3 polled.')
  expect(html).not.toContain('/other')
  const json = await (await owner('GET', '/api/report?tag=shop')).text()
  expect(json).not.toContain(KEY)
  for (const id of Object.values(ids)) expect(html).not.toContain(id)
})

test('a tag that no stream has, and a missing one, are errors', async () => {
  for (const [query, status] of [
    ['?tag=none', 404],
    ['', 422],
    ['?tag=shop&what=1', 422],
    ['?tag=shop&from=2020-01-01T00:00:00Z', 422],
  ] as const) {
    for (const path of ['/report', '/api/report'])
      expect([path, query, (await owner('GET', path + query)).status]).toEqual([path, query, status])
  }
})

test('a link opens the report of its tag and nothing else', async () => {
  const made = await owner('POST', '/api/report/link', { tag: 'shop' })
  expect(made.status).toBe(201)
  const link = new URL(((await made.json()) as { url: string }).url)
  const answer = await ask(link.pathname + link.search)
  expect(answer.status).toBe(200)
  expect(await answer.text()).toContain('<h1>shop</h1>')
  const changed = (change: (query: URLSearchParams) => void, path = link.pathname) => {
    const query = new URLSearchParams(link.searchParams)
    change(query)
    return `${path}?${query}`
  }
  for (const wrong of [
    changed((query) => query.set('tag', 'eu')),
    changed((query) => query.append('tag', 'eu')),
    changed((query) => query.delete('tag')),
    changed((query) => query.set('to', new Date(0).toISOString())),
    changed(() => {}, '/api/report'),
    changed(() => {}, `/streams/${ids.small}/report`),
    changed((query) => query.delete('tag'), `/streams/${ids.small}/report`),
    changed(() => {}, '/streams'),
  ]) {
    expect([wrong, (await ask(wrong)).status]).toEqual([wrong, 401])
  }
  // And a stream's link doesn't open a tag that is named like the stream.
  const ofStream = await owner('POST', `/api/streams/${ids.small}/report/link`)
  const { searchParams } = new URL(((await ofStream.json()) as { url: string }).url)
  expect((await ask(`/report?tag=${ids.small}&${searchParams}`)).status).toBe(401)
  for (const body of [{}, { tag: '' }, { tag: 'x'.repeat(500) }, { tag: 'shop', expiresInMs: 1 }])
    expect((await owner('POST', '/api/report/link', body)).status).toBe(422)
})

test('private streams are in the report of their owner, and in no link', async () => {
  const secretOf = async (name: string) => {
    const answer = await owner('POST', '/api/keys', { name, scope: 'operate' })
    return ((await answer.json()) as { secret: string }).secret
  }
  const [mine, others] = await Promise.all([secretOf('Mine'), secretOf('Others')])
  const api = upstream.on('/private', () => Response.json({ mine: true }))
  const leave = new AbortController()
  await fetch(`${weir.url}/proxy/${api}?intervalMs=500&x-sd-header=${encodeURIComponent('X-Key: mine')}`, {
    headers: bearer(mine),
    signal: leave.signal,
  })
  leave.abort()
  const listed = (await (await owner('GET', '/api/streams?q=private')).json()) as {
    items: { id: string; tags: string[] }[]
  }
  const [stream] = listed.items
  const [tag] = stream?.tags ?? []
  expect((await reportOf(`tag=${tag}`, mine)).rows.map(({ id }) => id)).toEqual([stream?.id as string])
  expect((await owner('GET', `/api/report?tag=${tag}`, undefined, others)).status).toBe(404)
  const made = await owner('POST', '/api/report/link', { tag }, mine)
  const link = new URL(((await made.json()) as { url: string }).url)
  expect((await ask(link.pathname + link.search)).status).toBe(404)
})

test('a tag with more streams than fit is reported as far as it goes, and says so', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'weir-test-'))
  const storage = await openStorage({ databaseUrl: undefined, dataDir: directory })
  const many = Array.from({ length: MAX_STREAMS + 7 }, (_, index) =>
    newStream({
      ...{ url: `https://api.test/${index}`, kind: 'poll', tags: ['many'] },
      name: `stream ${String(index).padStart(3, '0')}`,
    }),
  )
  await insertStreams(storage.db, many)
  const deps = { db: storage.db, version: '1', now: Date.now }
  const period = { from: new Date(Date.now() - DAY_MS), to: new Date() }
  const report = await readTagReport(deps, { tag: 'many', caller: OWNER }, period)
  expect(report.streams).toEqual({ total: MAX_STREAMS + 7, shown: MAX_STREAMS })
  expect(report.rows.at(-1)?.subject.name).toBe('stream 099')
  expect(report.figures.find(({ id }) => id === 'availability.mean')?.value).toBeNull()
  await storage.close()
  rmSync(directory, { recursive: true, force: true })
})

test('the list leads to it when it shows one tag', async () => {
  const page = async (path: string) => (await owner('GET', path)).text()
  expect(await page('/streams?tag=shop')).toContain('href="/report?tag=shop"')
  expect(await page('/streams')).not.toContain('href="/report')
})

test('weir report --tag writes the page or the figures, and makes links', async () => {
  const cli = cliOf(weir.url, { WEIR_TOKEN: TOKEN })
  const directory = mkdtempSync(join(tmpdir(), 'weir-test-'))
  const file = join(directory, 'shop.html')
  expect(await cli('report', '--tag', 'shop', '--out', file)).toMatchObject({ code: 0, err: '' })
  expect(readFileSync(file, 'utf8')).toContain('<h1>shop</h1>')
  expect(JSON.parse((await cli('report', '--tag', 'shop', '--json')).out).rows).toHaveLength(3)
  const link = new URL((await cli('report', '--tag', 'shop', '--link')).out.trim())
  expect((await ask(link.pathname + link.search)).status).toBe(200)
  expect((await cli('report')).code).toBe(2)
  expect((await cli('report', 'small', '--tag', 'shop')).code).toBe(2)
  rmSync(directory, { recursive: true, force: true })
})

describeInBrowser('in a browser', () => {
  test.each([
    ['on a phone, dark', PHONE, 'dark'],
    ['on a screen, light', DESKTOP, 'light'],
  ] as const)('it is readable %s, and loads nothing else', async (_, viewport, colorScheme) => {
    const made = await owner('POST', '/api/report/link', { tag: 'shop' })
    const { url } = (await made.json()) as { url: string }
    const browser = await openBrowser()
    const { page, faults, close } = await openPage(browser, { viewport, colorScheme })
    await page.goto(url)
    await page.locator('summary').click()
    expect(await page.locator('tbody th b').nth(1).textContent()).toContain(EVIL)
    expect(await sidewaysScroll(page)).toBe(0)
    expect(faults.filter((fault) => !fault.includes('favicon'))).toEqual([])
    await close()
    await browser.close()
  })
})
