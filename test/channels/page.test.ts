import { afterAll, beforeAll, expect, test } from 'bun:test'
import type { Browser } from 'playwright-core'
import { openBrowser, openPage, PHONE, sidewaysScroll } from '../support/browser.ts'
import { describeInBrowser } from '../support/in-browser.ts'
import { until } from '../support/until.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'
import { type Receiver, SECRET, startReceiver } from './receiver.ts'

const XSS = `<img src=x onerror=alert(1)>"'&`

describeInBrowser('in a browser', () => {
  let receiver: Receiver
  let weir: TestWeir
  let browser: Browser

  beforeAll(async () => {
    receiver = startReceiver()
    weir = await startTestWeir()
    browser = await openBrowser()
  })

  afterAll(async () => {
    await browser.close()
    await weir.close()
    await receiver.upstream.stop()
  })

  async function add(name: string, path: string, status = 204): Promise<string> {
    const url = receiver.take(
      path,
      () => new Response('<b>said</b>', { status: status === 204 ? 200 : status }),
    )
    const body = { name, kind: 'webhook', config: { url, secret: SECRET } }
    const response = await weir.send('POST', '/api/channels', body)
    return ((await response.json()) as { id: string }).id
  }

  test.each([true, false])(
    'a channel is added, tested, changed and removed (with script: %p)',
    async (script) => {
      const { page, faults, close } = await openPage(browser, { javaScriptEnabled: script })
      const path = `/added-${script}`
      await page.goto(`${weir.url}/channels`)
      await page.getByLabel('Name').fill(`Added ${script}`)
      await page
        .getByRole('textbox', { name: 'URL' })
        .fill(receiver.take(path, () => new Response('<b>thanks</b>')))
      // The secret that is proposed can be read, once, to give it to the receiver.
      expect(await page.getByLabel('Secret', { exact: true }).inputValue()).toStartWith('whsec_')
      await page.getByLabel('Tags').fill('shop, eu')
      await page.getByRole('button', { name: 'Add' }).click()
      await page.getByRole('heading', { name: `Added ${script}` }).waitFor()
      await page.getByLabel('Message').fill('Is this on?')
      await page.getByRole('button', { name: 'Send test' }).click()
      await page.locator('#test').getByText('Delivered.').waitFor()
      expect(await page.locator('#test').getByLabel('Response').textContent()).toContain('<b>thanks</b>')
      expect(await page.locator('#test').getByLabel('Request').textContent()).toContain('Is this on?')
      expect(receiver.received(path)).toHaveLength(1)
      await page.goto(page.url().replace(/\/test$/, ''))
      await page.getByText('Edit', { exact: true }).click()
      await page.getByLabel('Name').fill(`Changed ${script}`)
      await page.getByRole('button', { name: 'Save' }).click()
      await page.getByRole('heading', { name: `Changed ${script}` }).waitFor()
      await page.getByRole('button', { name: 'Suspend', exact: true }).click()
      await page.getByText('Suspended: no notifications are sent.').waitFor()
      await page.getByRole('button', { name: 'Resume', exact: true }).click()
      await page.getByRole('button', { name: 'Suspend', exact: true }).waitFor()
      page.removeAllListeners('dialog')
      page.on('dialog', (dialog) => void dialog.accept())
      await page.getByRole('button', { name: 'Remove', exact: true }).click()
      await page.waitForURL(`${weir.url}/channels`)
      expect(await page.getByRole('link', { name: `Changed ${script}` }).count()).toBe(0)
      expect(faults).toEqual([])
      await close()
    },
  )

  test('each kind has its form; errors are shown, input is kept, and secrets aren’t returned', async () => {
    const { page, close } = await openPage(browser)
    await page.goto(`${weir.url}/channels`)
    await page.getByRole('link', { name: 'ntfy', exact: true }).click()
    await page.getByLabel('Name').fill('Phone')
    await page.getByLabel('Topic URL').fill('https://ntfy.sh/')
    await page.getByLabel('Access token').fill('tk_secret')
    await page.getByRole('button', { name: 'Add' }).click()
    await page.getByRole('alert').getByText('The URL must end with a topic').waitFor()
    expect(await page.getByLabel('Name').inputValue()).toBe('Phone')
    expect(await page.getByLabel('Topic URL').getAttribute('aria-invalid')).toBe('true')
    expect(await page.content()).not.toContain('tk_secret')
    for (const kind of ['Webhook', 'Email', 'Slack', 'Discord']) {
      await page.getByRole('link', { name: kind, exact: true }).click()
      await page.locator('.kinds [aria-current]').getByText(kind).waitFor()
    }
    await close()
  })

  test('deliveries show their attempts, and can be replayed', async () => {
    const id = await add(XSS, '/refuses', 403)
    const stream = await weir.register({
      url: receiver.upstream.url,
      kind: 'poll',
      start: false,
      notify: [id],
      name: XSS,
    })
    await weir.send('POST', `/api/streams/${stream.id}/notify`, { message: XSS })
    await until('it was refused', async () => {
      const { items } = await weir.json<{ items: { status: string }[] }>(`/api/channels/${id}/deliveries`)
      return items[0]?.status === 'failed'
    })
    const { page, faults, close } = await openPage(browser)
    await page.goto(`${weir.url}/channels`)
    await page
      .getByRole('row', { name: /onerror/ })
      .getByText('The receiver returned 403')
      .waitFor()
    await page.goto(`${weir.url}/channels/${id}?status=failed`)
    await page.locator('.entry summary').click()
    await page.getByLabel('Response').getByText('<b>said</b>').waitFor()
    await page.getByRole('button', { name: 'Resend', exact: true }).click()
    await until('it was sent again', () => receiver.received('/refuses').length === 2)
    await page.goto(`${weir.url}/channels/${id}?status=delivered`)
    await page.getByText('No delivered deliveries.').waitFor()
    expect(faults).toEqual([])
    await close()
  })

  test('no page scrolls sideways on a phone', async () => {
    const id = await add('A-name-without-a-space-'.padEnd(64, 'x'), `/${'long'.repeat(30)}`, 500)
    await weir.send('POST', `/api/channels/${id}/test`)
    for (const colorScheme of ['dark', 'light'] as const) {
      const { page, faults, close } = await openPage(browser, { viewport: PHONE, colorScheme })
      for (const path of ['/channels', '/channels?kind=email', `/channels/${id}`]) {
        await page.goto(weir.url + path)
        for (const each of await page.locator('main summary').all()) await each.click()
        expect({ path, scroll: await sidewaysScroll(page) }).toEqual({ path, scroll: 0 })
      }
      expect(faults).toEqual([])
      await close()
    }
  })
})
