import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Page, Route } from 'playwright-core'
import { channels } from '../../drizzle/schema.ts'
import { acknowledge } from '../../src/incidents/read.ts'
import { addSilence } from '../../src/incidents/silences.ts'
import { Streams } from '../../src/streams/registry/streams.ts'
import { DESKTOP, openBrowser, openPage, PHONE } from '../support/browser.ts'
import { testBus } from '../support/bus.ts'
import { openStorage } from '../support/data-dir.ts'
import { describeInBrowser } from '../support/in-browser.ts'
import { until } from '../support/until.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'
import { addIncident } from './everything.ts'

const HOOK = {
  kind: 'webhook',
  config: { url: 'http://127.0.0.1:9/', secret: `whsec_${btoa('x'.repeat(32))}` },
}
const LIMITS = { requestTimeoutMs: 1_000, maxBodyBytes: 1_000, silenceMs: 1_000 }

/** What is said of the connection. */
function connectionOf(page: Page) {
  const line = page.locator('#connection')
  return {
    says: (text: string) => line.filter({ hasText: text }).waitFor(),
    silent: () => until('nothing is said any more', async () => (await line.textContent()) === ''),
  }
}

describeInBrowser('in a browser', () => {
  let browser: Browser
  let upstream: Upstream
  let directory: string
  let weir: TestWeir
  let streamId: string
  let incident: string
  let incidentStream: string
  let channel: string
  let answered: number

  beforeAll(async () => {
    browser = await openBrowser()
    upstream = startUpstream()
    directory = mkdtempSync(join(tmpdir(), 'weir-test-'))
    await addIncident(directory)
    weir = await startTestWeir({ DATA_DIR: directory })
    const url = upstream.on('/json', (_request, hit) => {
      answered = hit
      return Response.json({ hit })
    })
    ;({ id: streamId } = await weir.register({ url, kind: 'poll', intervalMs: 500, name: 'Prices' }))
    channel = await addChannel('Night shift')
    await weir.send('POST', '/api/topology', { services: [{ id: 'Before' }] })
    const { items } = await weir.json<{ items: { id: string; streamId: string }[] }>('/api/incidents')
    ;({ id: incident, streamId: incidentStream } = items[0] ?? { id: '', streamId: '' })
    await weir.entry(streamId, 'it was polled', ({ seq }) => seq > 1)
  })

  afterAll(async () => {
    await browser.close()
    await weir.close()
    await upstream.stop()
    rmSync(directory, { recursive: true, force: true })
  })

  async function addChannel(name: string): Promise<string> {
    const added = await weir.send('POST', '/api/channels', { name, ...HOOK })
    return ((await added.json()) as { id: string }).id
  }

  async function open(path: string, viewport = DESKTOP) {
    const opened = await openPage(browser, { viewport })
    await opened.page.goto(weir.url + path)
    await opened.page.evaluate(() => document.body.setAttribute('data-first-load', 'yes'))
    return opened
  }

  /** What others do that share the database, while this Weir is away. */
  async function doMeanwhile(): Promise<void> {
    const storage = await openStorage({ databaseUrl: undefined, dataDir: directory })
    const { db } = storage
    const control = { runLater: async () => {} }
    const bus = testBus()
    const streams = new Streams({ db, control, bus, limits: LIMITS })
    await streams.register({
      url: upstream.on('/other', () => Response.json({})),
      kind: 'poll',
      name: 'Newcomer',
      start: false,
    })
    const at = new Date()
    await db.update(channels).set({ suspendedAt: at, suspendedReason: 'It moved.' })
    const added = { ...HOOK, id: Bun.randomUUIDv7(), name: 'Day shift', tags: [], isDefault: false }
    await db.insert(channels).values({ ...added, createdAt: at, updatedAt: at })
    await acknowledge({ db, bus }, incident, { by: 'Ada' }, Date.now())
    const endsAt = new Date(Date.now() + 3_600_000).toISOString()
    await addSilence({ db, bus }, { reason: 'The shop moves', endsAt }, Date.now())
    await storage.close()
  }

  /** What each page shows before, and only after it has caught up. */
  const pages: Record<string, { path(): string; before(page: Page): unknown; after(page: Page): unknown }> = {
    Home: {
      path: () => '/',
      before: (page) => page.getByRole('link', { name: '2 streams', exact: true }).waitFor(),
      after: (page) => page.getByRole('link', { name: '3 streams', exact: true }).waitFor(),
    },
    Streams: {
      path: () => '/streams',
      before: (page) => page.getByRole('link', { name: 'Prices' }).waitFor(),
      after: (page) => page.getByRole('link', { name: 'Newcomer' }).waitFor(),
    },
    'a stream': {
      path: () => `/streams/${streamId}`,
      before: (page) => page.locator('#log > li[id]').first().waitFor(),
      after: showsEachEntryOnce,
    },
    Incidents: {
      path: () => '/incidents',
      before: (page) => page.getByRole('link', { name: /^Gone/ }).first().waitFor(),
      after: (page) => page.getByText('acknowledged by Ada').waitFor(),
    },
    'an incident': {
      path: () => `/incidents/${incident}`,
      before: (page) => page.getByRole('heading', { name: /^Gone/ }).waitFor(),
      after: (page) => page.getByText('Acknowledged by').waitFor(),
    },
    Silences: {
      path: () => '/silences',
      before: (page) => page.getByText('No silences.').waitFor(),
      after: (page) => page.getByText('The shop moves').waitFor(),
    },
    Channels: {
      path: () => '/channels',
      before: (page) => page.getByRole('link', { name: 'Night shift' }).waitFor(),
      after: (page) => page.getByRole('link', { name: 'Day shift' }).waitFor(),
    },
    'a channel': {
      path: () => `/channels/${channel}`,
      before: (page) => page.getByRole('button', { name: 'Suspend', exact: true }).waitFor(),
      after: (page) => page.getByText('Suspended: no notifications are sent. It moved.').waitFor(),
    },
    Topology: {
      path: () => '/topology',
      before: (page) => page.locator('#services').getByText('Before', { exact: true }).first().waitFor(),
      after: (page) => page.locator('#services').getByText('Meanwhile', { exact: true }).first().waitFor(),
    },
  }

  async function showsEachEntryOnce(page: Page): Promise<void> {
    const before = answered
    await until('it is polled again', () => answered > before + 1)
    for (const { seq } of (await weir.logs(streamId)).slice(-3))
      await until(`entry ${seq} is shown`, async () => {
        const ids = await page.locator('#log > li[id]').evaluateAll((lines) => lines.map(({ id }) => id))
        expect(new Set(ids).size).toBe(ids.length)
        return ids.includes(`entry-${seq}`)
      })
  }

  test('every page says that Weir is unreachable, recovers by itself, and catches up', async () => {
    const opened: {
      page: Page
      close(): Promise<void>
      before(page: Page): unknown
      after(page: Page): unknown
    }[] = []
    for (const { path, before, after } of Object.values(pages)) {
      for (const viewport of [DESKTOP, PHONE]) {
        const { page, close } = await open(path(), viewport)
        await before(page)
        opened.push({ page, close, before, after })
      }
    }
    const port = new URL(weir.url).port
    await weir.close()
    for (const { page, before } of opened) {
      await connectionOf(page).says('Weir has been unreachable since')
      await before(page)
    }
    await doMeanwhile()
    weir = await startTestWeir({ DATA_DIR: directory, PORT: port })
    await weir.send('POST', '/api/topology', { services: [{ id: 'Meanwhile' }] })
    for (const { page, after, close } of opened) {
      await after(page)
      await connectionOf(page).silent()
      expect(await page.getAttribute('body', 'data-first-load')).toBe('yes')
      await close()
    }
  }, 180_000)

  test('a page says when its browser is offline, and when it is back', async () => {
    const { page, close } = await open('/incidents', PHONE)
    await connectionOf(page).silent()
    await page.context().setOffline(true)
    await connectionOf(page).says("You've been offline since")
    await page.context().setOffline(false)
    await connectionOf(page).says("You're back online. This page is up to date.")
    await close()
  })

  test('a hidden tab sends no requests; when shown again, it catches up silently', async () => {
    const { page, close } = await open('/archive')
    const { page: live, close: closeLive } = await open('/channels')
    // Whatever else this machine does: no pulse is lost.
    await live.route('**/pulse', (route) => route.fulfill({ json: { openIncidents: 0 } }))
    for (const each of [page, live]) await setHidden(each, true)
    const asked: string[] = []
    for (const each of [page, live]) each.on('request', (request) => asked.push(request.url()))
    const said = await listen(live)
    await addChannel('Weekend')
    // Longer than the archive waits between two questions.
    const before = answered
    await until('some seconds are over', () => answered > before + 10)
    expect(asked).toEqual([])
    await setHidden(page, false)
    await until('the archive was asked for', () => asked.some((url) => url.endsWith('/archive')))
    await setHidden(live, false)
    await live.getByRole('link', { name: 'Weekend' }).waitFor()
    expect(said).toEqual([])
    await close()
    await closeLive()
  })

  test('a page is live with its first script, whenever the others load, and reports no loss', async () => {
    const { page, close } = await openPage(browser)
    await page.route('**/pulse', (route) => route.fulfill({ json: { openIncidents: 0 } }))
    const live = () => page.waitForResponse((response) => response.url().endsWith('/channels/live'))
    const connected = live()
    await page.route(/\/assets\/.*\.[jt]s$/, async (route) => {
      if (!route.request().url().endsWith('/htmx.js')) await connected
      await route.continue()
    })
    await page.goto(`${weir.url}/channels`)
    await connected
    const said = await listen(page)
    await addChannel('Late shift')
    await page.getByRole('link', { name: 'Late shift' }).waitFor()
    await setHidden(page, true)
    const again = live()
    await setHidden(page, false)
    await again
    await addChannel('Later shift')
    await page.getByRole('link', { name: 'Later shift' }).waitFor()
    expect(said).toEqual([])
    await close()
  })

  test('a page whose first connection failed retries, and then catches up', async () => {
    const { page, close } = await openPage(browser)
    const refusals = [
      (route: Route) => route.abort('connectionrefused'),
      (route: Route) => route.fulfill({ status: 503, body: 'Soon.' }),
    ]
    let isAway = true
    await page.route('**/channels/live', (route) => {
      const refuse = refusals.shift()
      if (refuse !== undefined) return refuse(route)
      return isAway ? route.abort('connectionrefused') : route.continue()
    })
    await page.goto(`${weir.url}/channels`)
    await connectionOf(page).says('Weir has been unreachable since')
    await until('it has failed twice', () => refusals.length === 0)
    await addChannel('Early shift')
    isAway = false
    await page.getByRole('link', { name: 'Early shift' }).waitFor()
    await connectionOf(page).silent()
    await addChannel('Earlier shift')
    await page.getByRole('link', { name: 'Earlier shift' }).waitFor()
    await close()
  })

  test.each([
    ['channel', () => [`/channels/${channel}`, `/api/channels/${channel}`]],
    ['stream', (id: string) => [`/streams/${id}`, `/api/streams/${id}`]],
    [
      'stream with a filtered log',
      (id: string) => [`/streams/${id}?kind=snapshot&q=hit`, `/api/streams/${id}`],
    ],
    ['stream with an incident', () => [`/incidents/${incident}`, `/api/streams/${incidentStream}`]],
  ])('the page of a removed %s says so, and doesn’t reconnect', async (_what, paths) => {
    const url = upstream.on('/rates', (_request, hit) => Response.json({ hit }))
    const { id } = await weir.register({ url, kind: 'poll', name: 'Rates' })
    const [pagePath = '', apiPath = ''] = paths(id)
    const { page, faults, close } = await open(pagePath)
    await page.waitForFunction(openParts, 1)
    await weir.send('DELETE', apiPath)
    await connectionOf(page).says('The item on this page was removed.')
    await page.waitForFunction(openParts, 0)
    expect(faults).toEqual([])
    await close()
  })
})

/** Whether so many live parts of the page are connected, or are about to be; runs in the page. */
function openParts(count: number): boolean {
  const parts = document.querySelectorAll<Element & { _htmx?: { sse?: unknown } }>('[hx-sse\\:connect]')
  return [...parts].filter((part) => part._htmx?.sse !== undefined).length === count
}

/** All that is said of the connection from now on. */
async function listen(page: Page): Promise<string[]> {
  const said: string[] = []
  await page.exposeFunction('said', (text: string) => said.push(text))
  await page.evaluate(() => {
    const line = document.getElementById('connection') as HTMLElement
    const { said } = globalThis as unknown as { said(text: string): void }
    new MutationObserver(() => said(line.textContent ?? '')).observe(line, { childList: true })
  })
  return said
}

/** As a browser does when another tab comes to the front, which headless ones never say. */
function setHidden(page: Page, isHidden: boolean): Promise<void> {
  return page.evaluate((hidden) => {
    Object.defineProperty(document, 'hidden', { value: hidden, configurable: true })
    document.dispatchEvent(new Event('visibilitychange'))
  }, isHidden)
}
