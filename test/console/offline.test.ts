import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { openBrowser, openPage } from '../support/browser.ts'
import { describeInBrowser } from '../support/in-browser.ts'
import { until } from '../support/until.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

const AWAY = /Weir is away since/
const BACK = 'Weir is back, and this page has caught up.'

/** What is said of the connection, and everything that was said before. */
function connectionOf(page: Page) {
  const line = page.locator('#connection')
  return {
    away: () => line.filter({ hasText: AWAY }).waitFor(),
    back: () => line.filter({ hasText: BACK }).waitFor(),
    silent: () => until('nothing is said any more', async () => (await line.textContent()) === ''),
  }
}

describeInBrowser('in a browser', () => {
  let browser: Browser
  let upstream: Upstream
  let directory: string
  let port: string
  let weir: TestWeir
  let id: string
  let answered: number

  beforeAll(async () => {
    browser = await openBrowser()
    upstream = startUpstream()
    directory = mkdtempSync(join(tmpdir(), 'weir-test-'))
    weir = await startTestWeir({ DATA_DIR: directory })
    port = new URL(weir.url).port
    const url = upstream.on('/json', (_request, hit) => {
      answered = hit
      return Response.json({ hit })
    })
    ;({ id } = await weir.register({ url, kind: 'poll', intervalMs: 500, name: 'Prices' }))
    await weir.entry(id, 'it was polled', ({ seq }) => seq > 1)
  })

  afterAll(async () => {
    await browser.close()
    await weir.close()
    await upstream.stop()
    rmSync(directory, { recursive: true, force: true })
  })

  /** Weir goes and comes again on the same port, under a page that is open; `meanwhile` before anybody sees it. */
  async function restartUnder(page: Page, meanwhile: () => Promise<unknown>): Promise<void> {
    const said = connectionOf(page)
    await weir.close()
    await said.away()
    weir = await startTestWeir({ DATA_DIR: directory, PORT: port })
    await meanwhile()
    await said.back()
    await said.silent()
  }

  async function open(path: string) {
    const opened = await openPage(browser)
    await opened.page.goto(weir.url + path)
    await opened.page.evaluate(() => document.body.setAttribute('data-first-load', 'yes'))
    return opened
  }

  const stays = async (page: Page) => expect(await page.getAttribute('body', 'data-first-load')).toBe('yes')
  const register = (name: string) =>
    weir.register({
      url: upstream.on('/other', () => Response.json({})),
      kind: 'poll',
      intervalMs: 60_000,
      name,
    })

  test('Home says that Weir is away, keeps what it shows, and then shows what happened', async () => {
    const { page, close } = await open('/')
    await page.getByRole('link', { name: '1 stream', exact: true }).waitFor()
    const said = connectionOf(page)
    await weir.close()
    await said.away()
    expect(await page.getByRole('link', { name: '1 stream', exact: true }).isVisible()).toBe(true)
    weir = await startTestWeir({ DATA_DIR: directory, PORT: port })
    await register('Registered before Home was back')
    await said.back()
    await page.getByRole('link', { name: '2 streams', exact: true }).waitFor()
    await stays(page)
    await close()
  })

  test('Streams shows a stream that was registered meanwhile', async () => {
    const { page, close } = await open('/streams')
    await page.getByRole('link', { name: 'Prices' }).waitFor()
    await restartUnder(page, () => register('Newcomer'))
    await page.getByRole('link', { name: 'Newcomer' }).waitFor()
    await stays(page)
    await close()
  })

  test('a stream shows what was logged meanwhile, each entry once', async () => {
    const { page, close } = await open(`/streams/${id}`)
    await page.locator('#log > li[id]').first().waitFor()
    const before = answered
    await restartUnder(page, () => until('it is polled again', () => answered > before + 2))
    const seen = async () => {
      const ids = await page.locator('#log > li[id]').evaluateAll((lines) => lines.map((line) => line.id))
      expect(new Set(ids).size).toBe(ids.length)
      return ids
    }
    const logged = (await weir.logs(id)).slice(-3)
    for (const { seq } of logged)
      await until(`entry ${seq} is shown`, async () => (await seen()).includes(`entry-${seq}`))
    await stays(page)
    await close()
  })

  test('Topology shows a service that reported meanwhile', async () => {
    const report = (name: string) => weir.send('POST', '/api/topology', { services: [{ id: name }] })
    await report('Before')
    const { page, close } = await open('/topology')
    await page.locator('#services').getByText('Before', { exact: true }).first().waitFor()
    await restartUnder(page, () => report('Meanwhile'))
    await page.locator('#services').getByText('Meanwhile', { exact: true }).first().waitFor()
    await stays(page)
    await close()
  })
})
