import { afterAll, beforeAll, expect, test } from 'bun:test'
import type { Browser } from 'playwright-core'
import { openBrowser, openPage, PHONE, sidewaysScroll } from '../support/browser.ts'
import { describeInBrowser } from '../support/in-browser.ts'
import { until } from '../support/until.ts'
import { Feed, startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

const XSS = `<img src=x onerror=alert(1)>"'&`

describeInBrowser('in a browser', () => {
  let upstream: Upstream
  let weir: TestWeir
  let browser: Browser

  beforeAll(async () => {
    upstream = startUpstream()
    weir = await startTestWeir()
    browser = await openBrowser()
  })

  afterAll(async () => {
    await browser.close()
    await weir.close()
    await upstream.stop()
  })

  test('an empty list explains how to start; a registered API appears and goes live without a reload', async () => {
    const { page, faults, close } = await openPage(browser)
    await page.goto(`${weir.url}/streams`)
    expect(await page.textContent('#streams-table')).toContain('bun run sim')
    await weir.register({ url: upstream.on('/first', () => Response.json({})), kind: 'poll' })
    await page.reload()
    await page.evaluate(() => document.body.setAttribute('data-first-load', 'yes'))
    const url = upstream.on('/prices', (_request, hit) => Response.json({ price: hit }))
    await page.getByLabel('API URL').fill(url)
    await page.getByLabel('Interval (seconds)').fill('0.5')
    await page.getByLabel('Tags').fill('shop, eu')
    await page.keyboard.press('Enter')
    await page.getByText(/^Registered 127/).waitFor()
    const row = page.getByRole('row', { name: /prices/ })
    await row.getByText('live').waitFor()
    expect(await row.textContent()).toContain('shop')
    await row.getByText(/^\d+ s ago$/).waitFor()
    expect(await page.getAttribute('body', 'data-first-load')).toBe('yes')
    expect(faults).toEqual([])
    await close()
  })

  test('an error is shown next to the form, and the input stays', async () => {
    const { page, close } = await openPage(browser)
    await page.goto(`${weir.url}/streams`)
    const url = page.getByLabel('API URL')
    await url.fill('ftp://files.test/x')
    await page.keyboard.press('Enter')
    await page.getByText('Use http or https').waitFor()
    expect(await url.inputValue()).toBe('ftp://files.test/x')
    expect(await url.getAttribute('aria-invalid')).toBe('true')
    await close()
  })

  test('stop and start work by keyboard, keep the focus, and need no page load', async () => {
    const { id } = await weir.register({
      url: upstream.on('/toggle', () => Response.json({})),
      kind: 'poll',
      name: 'Toggled',
    })
    const { page, faults, close } = await openPage(browser)
    await page.goto(`${weir.url}/streams?q=Toggled`)
    await page.evaluate(() => document.body.setAttribute('data-first-load', 'yes'))
    await page.getByRole('button', { name: 'Stop Toggled' }).focus()
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'Start Toggled' }).waitFor()
    await weir.status(id, 'stopped')
    expect(await page.evaluate(() => document.activeElement?.id)).toBe(`toggle-${id}`)
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'Stop Toggled' }).waitFor()
    await weir.status(id, 'live')
    expect(await page.getAttribute('body', 'data-first-load')).toBe('yes')
    expect(faults).toEqual([])
    await close()
  })

  test('without script the forms do the same by page loads', async () => {
    const { page, close } = await openPage(browser, { javaScriptEnabled: false })
    await page.goto(`${weir.url}/streams`)
    await page.getByLabel('API URL').fill(upstream.on('/plain', () => Response.json({})))
    await page.getByRole('button', { name: 'Register and start' }).click()
    await page.getByRole('button', { name: /^Stop .*plain$/ }).click()
    await page.getByRole('button', { name: /^Start .*plain$/ }).waitFor()
    await close()
  })

  test('a stream’s page shows new entries with request and response, and nothing in them runs', async () => {
    const feed = new Feed()
    const url = upstream.on('/feed', () => feed.response())
    const { id } = await weir.register({ url, kind: 'sse', name: XSS })
    await until('it is connected', () => feed.readers > 0)
    const { page, faults, close } = await openPage(browser)
    await page.goto(`${weir.url}/streams/${id}`)
    expect(await page.textContent('h1')).toBe(XSS)
    feed.send(`event: price\ndata: {"html":"<script>alert(2)</script>"}\n\n`)
    const line = page.locator('#log > li', { hasText: 'price' })
    await line.waitFor()
    expect(await line.textContent()).toContain('<script>alert(2)</script>')
    await page
      .locator('#status')
      .getByText(/ live$/)
      .waitFor()
    const connection = page.locator('#log > li', { hasText: 'response' })
    await connection.locator('summary').click()
    await connection.getByText('text/event-stream').first().waitFor()
    expect(await connection.textContent()).toContain('GET')
    expect(faults).toEqual([])
    await close()
  })

  test('a polled stream shows its savings, and updates them without a reload', async () => {
    const rows = Array.from({ length: 50 }, (_, row) => ({ row, text: 'the same as ever' }))
    const url = upstream.on('/saver', (_request, hit) => Response.json({ hit, rows }))
    const { id } = await weir.register({ url, kind: 'poll', intervalMs: 500, name: 'Saver' })
    const patch = await weir.entry(id, 'a change is logged', (entry) => entry.kind === 'patch')
    await weir.summed(id, patch.seq)
    const { page, faults, close } = await openPage(browser)
    await page.goto(`${weir.url}/streams/${id}`)
    await page.evaluate(() => document.body.setAttribute('data-first-load', 'yes'))
    const row = page.locator('#savings').getByRole('row', { name: /^Uncompressed polling/ })
    const shown = () => row.locator('td').allTextContents()
    const before = await shown()
    expect(before).toEqual(
      Array.from({ length: 2 }, () => expect.stringMatching(/^[\d.]+ kB−?[\d.]+% saved$/)),
    )
    await until('the bytes have moved on', async () => (await shown())[0] !== before[0])
    await page.locator('#savings').getByText('/hit', { exact: true }).waitFor()
    expect(await page.getAttribute('body', 'data-first-load')).toBe('yes')
    const feed = await weir.register({ url: upstream.on('/none', () => new Feed().response()), kind: 'sse' })
    await page.goto(`${weir.url}/streams/${feed.id}`)
    expect(await page.locator('#savings').count()).toBe(0)
    expect(faults).toEqual([])
    await close()
  })

  test('a failed action shows a notice, and the page stays', async () => {
    const { id } = await weir.register({
      url: upstream.on('/late', () => Response.json({})),
      kind: 'poll',
      name: 'Late',
    })
    const { page, close } = await openPage(browser)
    await page.goto(`${weir.url}/streams/${id}`)
    await weir.send('DELETE', `/api/streams/${id}`)
    await page.getByRole('button', { name: 'Stop Late' }).click()
    await page
      .getByRole('alert')
      .getByText(/Stream .* not found/)
      .waitFor()
    expect(await page.textContent('h1')).toBe('Late')
    await page.goto(`${weir.url}/streams/${id}`)
    expect(await page.textContent('h1')).toBe('Not found')
    await close()
  })

  test('removing asks first, and then returns to the list', async () => {
    const { id } = await weir.register({
      url: upstream.on('/gone', () => Response.json({})),
      kind: 'poll',
      name: 'Leaving',
    })
    const { page, close } = await openPage(browser)
    page.removeAllListeners('dialog')
    page.on('dialog', (dialog) => void dialog.accept())
    await page.goto(`${weir.url}/streams/${id}`)
    await page.getByRole('button', { name: 'Delete', exact: true }).click()
    await page.waitForURL(`${weir.url}/streams`)
    expect((await weir.get(`/api/streams/${id}`)).status).toBe(404)
    await close()
  })

  test('no page scrolls sideways on a phone, or reports an error', async () => {
    const { id } = await weir.register({
      url: `${upstream.on('/long', () => Response.json({}))}?${'long='.repeat(60)}`,
      kind: 'poll',
      name: 'A name without a space: '.padEnd(180, 'x'),
    })
    for (const colorScheme of ['dark', 'light'] as const) {
      const { page, faults, close } = await openPage(browser, { viewport: PHONE, colorScheme })
      for (const path of ['/streams', `/streams/${id}`, '/topology', '/openapi', '/jobs/']) {
        await page.goto(weir.url + path)
        await page.locator('main, #root').first().waitFor()
        expect({ path, scroll: await sidewaysScroll(page) }).toEqual({ path, scroll: 0 })
      }
      expect(faults).toEqual([])
      await close()
    }
  })

  test('the documentation and the board show what they should', async () => {
    const { page, faults, close } = await openPage(browser)
    await page.goto(`${weir.url}/openapi`)
    await page.getByText('Register an API').first().waitFor()
    await page.goto(`${weir.url}/jobs/queue/streams?status=active`)
    await page.getByText('/streams/').first().waitFor()
    expect(faults).toEqual([])
    await close()
  })
})
