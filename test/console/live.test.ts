import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Browser, Page } from 'playwright-core'
import { parseConfig } from '../../src/config/config.ts'
import { openRelay } from '../../src/relay/open.ts'
import type { Relay } from '../../src/relay/relay.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { openBrowser, openPage } from '../support/browser.ts'
import { openStorage } from '../support/data-dir.ts'
import { describeInBrowser } from '../support/in-browser.ts'
import { isSkipped, type OpenSetup, SETUPS, type Setup } from '../support/setups.ts'
import { until } from '../support/until.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

const [, POSTGRES] = SETUPS as readonly [Setup, Setup]
const SECRET = `whsec_${btoa('x'.repeat(32))}`

describeInBrowser('in a browser', () => {
  describe.skipIf(isSkipped(POSTGRES))('pages of one process show at once what another one did', () => {
    let browser: Browser
    let services: OpenSetup
    let upstream: Upstream
    /** What pages are of, and what everything is done by. */
    let shown: TestWeir
    let doing: TestWeir
    let storage: Storage
    let relay: Relay
    const told: string[] = []

    beforeAll(async () => {
      ;[browser, services] = await Promise.all([openBrowser(), POSTGRES.open()])
      upstream = startUpstream()
      shown = await startTestWeir({ ...services.environment, ROLE: 'web' })
      doing = await startTestWeir(services.environment)
      const config = parseConfig({ ...services.environment })
      storage = await openStorage(config)
      relay = await openRelay(config, storage, 'listener')
      relay.listen({
        received: ({ type }) => void told.push(type),
        restored: () => {},
      })
    })

    afterAll(async () => {
      await relay.close()
      await storage.close()
      await browser.close()
      await Promise.all([shown.close(), doing.close()])
      await services.close()
      await upstream.stop()
    })

    async function open(path: string) {
      const opened = await openPage(browser)
      await opened.page.goto(shown.url + path)
      return opened
    }

    async function addChannel(name: string): Promise<string> {
      const url = upstream.on(`/${name}`, () => new Response('thanks'))
      const channel = { name, kind: 'webhook', config: { url, secret: SECRET } }
      const added = await doing.send('POST', '/api/channels', channel)
      return ((await added.json()) as { id: string }).id
    }

    test('Channels: a new one and its first delivery appear; other rows stay the same', async () => {
      await addChannel('Before')
      const { page, faults, close } = await open('/channels')
      await mark(page, 'tr[id^=channel-]')
      const id = await addChannel('After')
      await page.getByRole('row', { name: /^After/ }).waitFor()
      await doing.send('POST', `/api/channels/${id}/test`)
      await page
        .getByRole('row', { name: /^After/ })
        .getByText('delivered')
        .waitFor()
      expect(await marked(page)).toEqual(['Before'])
      await until('the other process told of it', () => told.includes('channel.updated'))
      expect(faults).toEqual([])
      await close()
    })

    test('a channel: deliveries and suspension appear, and open details stay open', async () => {
      const id = await addChannel('Busy')
      await doing.send('POST', `/api/channels/${id}/test`)
      const { page, faults, close } = await open(`/channels/${id}`)
      await page.getByLabel('Message').fill('Half a sentence')
      await page.locator('#deliveries summary').click()
      const { id: streamId } = await doing.register({
        url: upstream.url,
        kind: 'poll',
        start: false,
        notify: [id],
      })
      await doing.send('POST', `/api/streams/${streamId}/notify`, { message: 'Look!' })
      await page.locator('#deliveries .entry').nth(1).waitFor()
      await page.locator('#deliveries .entry').first().locator('.status.live').waitFor()
      expect(await page.locator('#deliveries details').evaluateAll(openOnes)).toEqual([false, true])
      await doing.send('POST', `/api/channels/${id}/suspend`)
      await page.getByText('Suspended: no notifications are sent.').waitFor()
      expect(await page.getByLabel('Message').inputValue()).toBe('Half a sentence')
      expect(faults).toEqual([])
      await close()
    })

    test('Silences: start and end appear', async () => {
      const { page, faults, close } = await open('/silences')
      await page.getByLabel('Reason').fill('Half a reason')
      const endsAt = new Date(Date.now() + 3_600_000).toISOString()
      const added = await doing.send('POST', '/api/silences', { reason: 'The shop moves', endsAt })
      const { id } = (await added.json()) as { id: string }
      await page.getByText('The shop moves').waitFor()
      await doing.send('DELETE', `/api/silences/${id}`)
      await page.getByText('No silences.').waitFor()
      expect(await page.getByLabel('Reason').inputValue()).toBe('Half a reason')
      await until('the other process told of it', () => told.includes('silence.updated'))
      expect(faults).toEqual([])
      await close()
    })

    test('Home: a new stream and the incident evaluation appear', async () => {
      const { page, faults, close } = await open('/')
      await page.getByRole('link', { name: '1 stream', exact: true }).waitFor()
      await doing.register({ url: upstream.url, kind: 'poll', start: false, name: 'Second' })
      await page.getByRole('link', { name: '2 streams', exact: true }).waitFor()
      await until('the other process told of incidents', () => told.includes('incident.updated'))
      expect(faults).toEqual([])
      await close()
    })
  })
})

function mark(page: Page, selector: string): Promise<void> {
  return page.locator(selector).evaluateAll((elements) => {
    for (const element of elements) Object.assign(element, { isMarked: true })
  })
}

/** What is left of the elements that were marked: those that were not made anew. */
function marked(page: Page): Promise<(string | undefined)[]> {
  return page
    .locator('tr')
    .evaluateAll((rows) =>
      rows.filter((row) => 'isMarked' in row).map((row) => row.querySelector('a')?.textContent ?? undefined),
    )
}

function openOnes(details: Element[]): boolean[] {
  return details.map((one) => (one as HTMLDetailsElement).open)
}
