import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { cliOf } from '../cli/support.ts'
import { DESKTOP, openBrowser, openPage, PHONE, sidewaysScroll } from '../support/browser.ts'
import { describeInBrowser } from '../support/in-browser.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

const KEY = '8f14e45fceea167a5a36dedd4bea2543'
const HEADER = 'the-secret-of-a-header'
const EVIL = '<script>alert(1)</script><img src=x onerror=alert(2)>'

let weir: TestWeir
let upstream: Upstream
let id = ''
let html = ''

beforeAll(async () => {
  upstream = startUpstream()
  weir = await startTestWeir()
  const api = upstream.on('/prices', (_, hit) => Response.json({ hit, secret: 'in the document' }))
  const stream = await weir.register({
    ...{ url: `${api}?region=eu&api_key=${KEY}`, kind: 'poll', intervalMs: 500 },
    ...{ name: `Prices ${KEY} ${HEADER} ${EVIL}`, headers: { 'X-Key': HEADER }, tags: ['internal'] },
  })
  id = stream.id
  await weir.summed(id, 3)
  html = await (await weir.get(`/streams/${id}/report`)).text()
})

afterAll(async () => {
  await weir.close()
  await upstream.stop()
})

test('the page is complete by itself', async () => {
  expect(html).toStartWith('<!doctype html><html lang="en">')
  expect(html).not.toMatch(/<(script|link|img|iframe|object|form|base)\b/i)
  expect(html).not.toMatch(/\s(src|href|style|on\w+)="/)
  expect(html).not.toMatch(/url\(|@import/)
  const { headers } = await weir.get(`/streams/${id}/report`)
  expect(headers.get('content-security-policy')).toMatch(
    /^default-src 'none'; style-src 'sha256-[\w+/=]+'; base-uri 'none'/,
  )
})

test('neither page nor figures reveal what is secret', async () => {
  const figures = await (await weir.get(`/api/streams/${id}/report`)).text()
  const lines = await (await weir.get(`/api/streams/${id}/report?format=ndjson`)).text()
  for (const text of [html, figures, lines]) {
    for (const secret of [KEY, HEADER, 'X-Key', 'in the document', 'internal', '/secret']) {
      expect([secret, text.includes(secret)]).toEqual([secret, false])
    }
    expect(text).toContain('api_key=•••')
  }
})

test('the page says what it is of, and when it was made', async () => {
  const to = '2026-01-08T00:00:00Z'
  const page = await (await weir.get(`/streams/${id}/report?from=2026-01-01T00:00:00Z&to=${to}`)).text()
  const text = page.replace(/<[^>]*>/g, '').replace(/\s+/g, ' ')
  expect(text).toContain('2026-01-01 00:00 to 2026-01-08 00:00 UTC (7 days). Polled every 500 ms.')
  expect(text).toContain('Nothing is known about this period.')
  expect(text).toContain('No poll was answered in this period.')
  expect(text).toMatch(/Made \d{4}-\d\d-\d\d \d\d:\d\d UTC by Weir \d+\.\d+\.\d+/)
  for (const bad of [
    'from=x',
    'from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z',
    'from=2020-01-01T00:00:00Z',
    'what=1',
  ]) {
    expect([bad, (await weir.get(`/streams/${id}/report?${bad}`)).status]).toEqual([bad, 422])
  }
})

test('wherever it says what is saved, it says compared with what', () => {
  const text = html.replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ')
  expect(text).toContain('Saved compared with polling with gzip and validators')
  expect(text).toMatch(
    /Saved, compared with uncompressed polling polling with gzip polling with gzip and validators/,
  )
})

test('the stream’s page leads to it', async () => {
  expect(await (await weir.get(`/streams/${id}`)).text()).toContain(`href="/streams/${id}/report"`)
})

test('weir report writes the page or the figures, and makes links', async () => {
  const cli = cliOf(weir.url)
  const directory = mkdtempSync(join(tmpdir(), 'weir-test-'))
  const file = join(directory, 'report.html')
  expect(await cli('report', id, '--out', file)).toMatchObject({ code: 0, err: '' })
  expect(readFileSync(file, 'utf8')).toContain('<h2>Availability</h2>')
  expect(await cli('report', id, '--out', file)).toMatchObject({ code: 4, out: '' })
  expect((await cli('report', id, '--out', file, '--force')).code).toBe(0)
  expect((await cli('report', id)).out).toContain('<h2>Availability</h2>')
  const { figures, from, to } = JSON.parse(
    (await cli('report', id, '--json', '--from', '1d', '--to', '1h')).out,
  )
  expect(Date.parse(to) - Date.parse(from)).toBe(23 * 3_600_000)
  expect(figures.length).toBeGreaterThan(10)
  const { out } = await cli('report', id, '--link')
  const link = new URL(out.trim())
  expect((await weir.get(link.pathname + link.search)).status).toBe(200)
  for (const wrong of [
    ['--link', '--out', 'x'],
    ['--from', 'soon'],
  ]) {
    expect((await cli('report', id, ...wrong)).code).toBe(2)
  }
  rmSync(directory, { recursive: true, force: true })
})

describeInBrowser('in a browser', () => {
  let browser: Browser

  beforeAll(async () => {
    browser = await openBrowser()
  })

  afterAll(() => browser.close())

  test.each([
    ['on a phone, dark', PHONE, 'dark'],
    ['on a phone, light', PHONE, 'light'],
    ['on a screen, dark', DESKTOP, 'dark'],
    ['on a screen, light', DESKTOP, 'light'],
  ] as const)('it is readable %s, and loads nothing else', async (_, viewport, colorScheme) => {
    const { page, faults, close } = await openPage(browser, { viewport, colorScheme })
    const asked: string[] = []
    page.on('request', (request) => asked.push(new URL(request.url()).pathname))
    await page.goto(`${weir.url}/streams/${id}/report`)
    await page.locator('summary').click()
    expect(await page.locator('h1').textContent()).toContain(EVIL)
    expect(await sidewaysScroll(page)).toBe(0)
    expect(await backgroundOf(page)).toBe(colorScheme === 'dark' ? 'rgb(11, 15, 18)' : 'rgb(255, 255, 255)')
    await page.emulateMedia({ media: 'print' })
    expect(await backgroundOf(page)).toBe('rgb(255, 255, 255)')
    expect(asked.filter((path) => path !== '/favicon.ico')).toEqual([`/streams/${id}/report`])
    expect(faults.filter((fault) => !fault.includes('favicon'))).toEqual([])
    await close()
  })
})

function backgroundOf(page: Awaited<ReturnType<typeof openPage>>['page']): Promise<string> {
  return page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor)
}
