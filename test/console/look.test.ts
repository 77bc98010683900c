import { afterAll, beforeAll, expect, test } from 'bun:test'
import type { Browser, Page } from 'playwright-core'
import { openBrowser, openPage, PHONE, sidewaysScroll } from '../support/browser.ts'
import { describeInBrowser } from '../support/in-browser.ts'
import { Feed, startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

const XSS = '<img src=x onerror=alert(1)>'

describeInBrowser('in a browser', () => {
  let browser: Browser
  let upstream: Upstream
  let weir: TestWeir

  beforeAll(async () => {
    ;[browser, weir] = await Promise.all([openBrowser(), startTestWeir()])
    upstream = startUpstream()
  })

  afterAll(async () => {
    await browser.close()
    await weir.close()
    await upstream.stop()
  })

  const found = (page: Page) => page.locator('#found')

  test('an empty list guides to the first stream: a harmless preview before it is started', async () => {
    const url = upstream.on('/prices', () => Response.json({ name: XSS, items: [{ sku: 1 }, { sku: 2 }] }))
    const { page, faults, close } = await openPage(browser)
    await page.goto(`${weir.url}/streams`)
    await page.getByLabel('API URL').fill(url)
    await page.keyboard.press('Enter')
    await found(page)
      .getByRole('heading', { name: /JSON document: Weir polls it/ })
      .waitFor()
    expect(await page.getByLabel('Response body').textContent()).toContain(XSS)
    expect(await page.locator('.json-key').first().textContent()).toBe('"name"')
    expect((await weir.json<{ items: unknown[] }>('/api/streams')).items).toEqual([])
    expect(await page.getByLabel('Array keys').inputValue()).toBe('sku')
    await page.getByLabel('Name', { exact: true }).fill('Prices')
    await page.getByLabel('Interval (seconds)').fill('0.1')
    await page
      .locator('#start')
      .getByRole('button', { name: 'Start', exact: true })
      .evaluate((button: HTMLButtonElement) => {
        button.form?.setAttribute('novalidate', '')
        button.removeAttribute('hx-validate')
      })
    await page.locator('#start').getByRole('button', { name: 'Start', exact: true }).click()
    await page
      .getByRole('alert')
      .getByText(/^intervalMs/)
      .waitFor()
    expect(await page.getByLabel('Name', { exact: true }).inputValue()).toBe('Prices')
    await page.getByLabel('Interval (seconds)').fill('0.5')
    await page.locator('#start').getByRole('button', { name: 'Start', exact: true }).click()
    await page.getByRole('heading', { name: 'Prices', level: 1 }).waitFor()
    const [stream] = (await weir.json<{ items: Record<string, unknown>[] }>('/api/streams')).items
    expect(stream).toMatchObject({ url, intervalMs: 500, arrayKeys: ['sku'] })
    expect(faults.filter((fault) => !fault.includes('422'))).toEqual([])
    await close()
  })

  test('a 401 leads to a header, which is sent and never shown again', async () => {
    const url = upstream.on('/secret', ({ headers }) =>
      headers.get('x-key') === 'abc' ? Response.json({}) : new Response('who?', { status: 401 }),
    )
    const { page, close } = await openPage(browser)
    await page.goto(`${weir.url}/streams/new`)
    await page.getByLabel('API URL').fill(url)
    await page.getByRole('button', { name: 'Preview', exact: true }).click()
    await found(page).getByText('Add a header').waitFor()
    await page.getByText('Headers, method and body', { exact: true }).click()
    await page.getByLabel('Headers', { exact: true }).fill('X-Key: abc')
    await page.getByRole('button', { name: 'Preview', exact: true }).click()
    await found(page)
      .getByRole('heading', { name: /JSON document: Weir polls it/ })
      .waitFor()
    await page.locator('#start').getByRole('button', { name: 'Start', exact: true }).click()
    await page.waitForURL(/\/streams\/[0-9a-f-]{36}$/)
    await weir.status(page.url().split('/').at(-1) ?? '', 'live')
    await close()
  })

  test('a link with a URL previews at once; one from another site only fills in the form', async () => {
    const url = upstream.on('/linked', () => new Feed().response({}, 'event: tick\ndata: {"n":1}\n\n'))
    const link = `${weir.url}/streams/new?url=${encodeURIComponent(url)}`
    const { page, close } = await openPage(browser)
    const foreign = upstream.on('/page', () => {
      return new Response(`<a href="${link}">x</a>`, { headers: { 'Content-Type': 'text/html' } })
    })
    await page.goto(foreign.replace('127.0.0.1', 'localhost'))
    await page.getByRole('link').click()
    expect(await page.getByLabel('API URL').inputValue()).toBe(url)
    expect(await page.locator('#look').getAttribute('hx-trigger')).toBeNull()
    await page.goto(link)
    await found(page)
      .getByRole('heading', { name: /Event stream: Weir keeps it open/ })
      .waitFor()
    expect(await page.getByLabel('Data of tick').textContent()).toBe('{"n":1}')
    await close()
  })

  test('without script, page loads do the same, and changed input is previewed first', async () => {
    const { page, close } = await openPage(browser, { javaScriptEnabled: false, viewport: PHONE })
    await page.goto(`${weir.url}/streams/new`)
    await page.getByLabel('API URL').fill(`${upstream.url}/nothing`)
    await page.getByRole('button', { name: 'Preview', exact: true }).click()
    await page.getByText('The API returned 404').waitFor()
    expect(await sidewaysScroll(page)).toBe(0)
    await page.getByLabel('API URL').fill(upstream.on('/there', () => Response.json([1])))
    await page.locator('#start').getByRole('button', { name: 'Start', exact: true }).click()
    await page.getByRole('heading', { name: /JSON document: Weir polls it/ }).waitFor()
    await page.locator('#start').getByRole('button', { name: 'Start', exact: true }).click()
    await page.waitForURL(/\/streams\/[0-9a-f-]{36}$/)
    await close()
  })

  test('exact times are shown on keyboard focus and tap, and closed with Escape', async () => {
    const { page, close } = await openPage(browser)
    const { items } = await weir.json<{ items: { id: string }[] }>('/api/streams')
    await page.goto(`${weir.url}/streams/${items[0]?.id}`)
    const time = page.locator('#status time').first()
    await time.getByText('ago').waitFor()
    await page.keyboard.press('Tab')
    await time.focus()
    await page.getByRole('tooltip').waitFor()
    expect(await page.getByRole('tooltip').textContent()).toContain(String(new Date().getFullYear()))
    await page.keyboard.press('Escape')
    await page.getByRole('tooltip').waitFor({ state: 'hidden' })
    await time.click()
    await page.getByRole('tooltip').waitFor()
    await close()
  })
})
