import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Browser, Response as PageResponse } from 'playwright-core'
import { openBrowser, openPage } from '../support/browser.ts'
import { describeInBrowser } from '../support/in-browser.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

/** Most that the scripts of a page may weigh before Mermaid is asked for, in bytes as they are run. */
const MAX_SCRIPT_BYTES = 150 * 1_024
/** What Topology asks for by itself to draw its picture. */
const DRAWING = /\/(mermaid\/|elk-worker\.js)/

let weir: TestWeir

beforeAll(async () => {
  weir = await startTestWeir()
})

afterAll(() => weir.close())

const ask = (path: string, headers: Record<string, string> = {}) =>
  fetch(weir.url + path, { headers: { 'Accept-Encoding': 'identity', ...headers } })

async function assetsOf(path: string): Promise<string[]> {
  const text = await (await ask(path)).text()
  return [...text.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map(([, asset]) => asset as string)
}

describe('assets', () => {
  test('are asked for under a hash of what they hold, and may be kept for good', async () => {
    const assets = await assetsOf('/streams')
    expect(assets.length).toBeGreaterThan(3)
    for (const asset of assets) {
      expect(asset).toMatch(/^\/assets\/v-[0-9a-f]{16}\//)
      const response = await ask(asset)
      expect(response.status).toBe(200)
      expect(response.headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
    }
  })

  test('of another version, or of none, are those of now and are asked for again', async () => {
    const [asset = ''] = (await assetsOf('/')).filter((path) => path.endsWith('weir.css'))
    const now = await (await ask(asset)).text()
    for (const path of [
      '/assets/views/layout/weir.css',
      '/assets/v-0123456789abcdef/views/layout/weir.css',
    ]) {
      const response = await ask(path)
      expect(response.headers.get('cache-control')).toBe('no-cache')
      expect(await response.text()).toBe(now)
    }
  })

  test.each(['zstd', 'gzip'])('come as %s to who takes it, with an ETag of its own', async (coding) => {
    const plain = await ask('/assets/htmx.js')
    const text = await plain.text()
    const coded = await ask('/assets/htmx.js', { 'Accept-Encoding': coding })
    expect(coded.headers.get('content-encoding')).toBe(coding)
    expect(coded.headers.get('vary')).toBe('Accept-Encoding')
    expect(await coded.text()).toBe(text)
    const etag = coded.headers.get('etag') ?? ''
    expect(etag).not.toBe(plain.headers.get('etag'))
    const again = { 'Accept-Encoding': coding, 'If-None-Match': `"other", W/${etag}` }
    expect((await ask('/assets/htmx.js', again)).status).toBe(304)
    expect((await ask('/assets/htmx.js', { 'If-None-Match': etag })).status).toBe(200)
  })

  test('come as they are to who takes no coding', async () => {
    const headers = { 'Accept-Encoding': 'gzip;q=0, zstd;q=0.0' }
    expect((await ask('/assets/htmx.js', headers)).headers.has('content-encoding')).toBe(false)
  })

  test.each(['/assets/../layout.tsx', '/assets/v-0123456789abcdef/..%2flayout.tsx', '/assets/none.css'])(
    '%s is none',
    async (path) => {
      expect((await ask(path)).status).toBe(404)
    },
  )

  test('pages are compressed too, and say so', async () => {
    const plain = await ask('/topology')
    const packed = await ask('/topology', { 'Accept-Encoding': 'gzip' })
    expect(plain.headers.has('content-encoding')).toBe(false)
    expect(packed.headers.get('content-encoding')).toBe('gzip')
    expect(packed.headers.get('content-security-policy')).toBe(plain.headers.get('content-security-policy'))
    expect(await packed.text()).toBe(await plain.text())
  })
})

describeInBrowser('in a browser', () => {
  let browser: Browser
  let upstream: Upstream
  let id: string

  beforeAll(async () => {
    browser = await openBrowser()
    upstream = startUpstream()
    const url = upstream.on('/json', (_request, hit) => Response.json({ hit }))
    ;({ id } = await weir.register({ url, kind: 'poll', intervalMs: 60_000, name: 'Weighed' }))
  })

  afterAll(async () => {
    await browser.close()
    await upstream.stop()
  })

  test.each([
    '/',
    '/streams',
    '/streams/:id',
    '/streams/:id/document',
    '/topology',
    '/incidents',
    '/rules',
    '/silences',
    '/channels',
    '/storage',
    '/archive',
  ])('%s runs under 150 KB of script', async (path) => {
    const { page, close } = await openPage(browser)
    const answers: PageResponse[] = []
    page.on('response', (response) => answers.push(response))
    await page.goto(weir.url + path.replace(':id', id), { waitUntil: 'load' })
    const scripts = answers.filter((answer) => answer.request().resourceType() === 'script')
    const own = scripts.filter((answer) => !DRAWING.test(answer.url()))
    const bodies = await Promise.all(own.map((answer) => answer.body()))
    const wire = await Promise.all(
      own.map(async (answer) => (await answer.request().sizes()).responseBodySize),
    )
    const sum = (sizes: number[]) => sizes.reduce((total, size) => total + size, 0)
    const run = sum(bodies.map(({ length }) => length))
    if (process.env.WEIR_SHOW_SIZES) console.log(path, own.length, 'files', run, 'run', sum(wire), 'wire')
    expect(own.length).toBeGreaterThan(2)
    expect(run).toBeLessThan(MAX_SCRIPT_BYTES)
    await close()
  })
})
