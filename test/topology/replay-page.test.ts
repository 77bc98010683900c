import { afterAll, beforeAll, expect } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { Hub } from '../../src/hub/hub.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { Topology } from '../../src/topology/topology.ts'
import { WITHOUT_BROWSER } from '../support/browser.ts'
import { openStorage } from '../support/data-dir.ts'
import { browserTest, openPage } from './browser.ts'
import { startTopology } from './server.ts'

const HOUR_MS = 3_600_000
const directory = mkdtempSync(join(tmpdir(), 'weir-replay-'))
/** When there were calls, to the minute: first of one service, then of two. */
const [first, second] = [3, 1].map((hours) => Math.floor(Date.now() / 60_000) * 60_000 - hours * HOUR_MS) as [
  number,
  number,
]
let storage: Storage

beforeAll(async () => {
  if (WITHOUT_BROWSER) return
  storage = await openStorage({ databaseUrl: undefined, dataDir: directory })
  await past(first, [{ from: 'UI', to: 'old', status: 500, durationMs: 40 }])
  await past(second, [{ from: 'UI', to: 'new', status: 200, durationMs: 10 }])
})

afterAll(async () => {
  await storage?.close()
  rmSync(directory, { recursive: true, force: true })
})

browserTest('a moment is selected by key, has its own link, and pauses live changes', async () => {
  await using weir = await start()
  await using browser = await openPage(`${weir.url}/topology`)
  const { page, problems } = browser
  await shows(page, ['UI', 'new', 'old'])
  await page.locator('#replay-summary', { hasText: '2 calls in 24 h, 1 failed' }).waitFor()
  expect(await page.locator('#replay-chart .failed').getAttribute('d')).not.toBe('')

  await page.locator('#replay-at').focus()
  await page.keyboard.press('Home')
  await page.locator('#replay-banner', { hasText: 'Replay of' }).waitFor()
  await page.goBack()
  await page.locator('#replay-banner').waitFor({ state: 'hidden' })

  await page.locator('#replay-at').fill(String((first + 60_000) / 60_000))
  await shows(page, ['UI', 'old'])
  expect(new URL(page.url()).search).toBe(`?at=${iso(first + 60_000)}`)
  await page
    .locator('#services tr', { hasText: 'old' })
    .locator('[data-part=recent]', { hasText: '100% errors' })
    .waitFor()
  expect(await page.locator('#request-button').isVisible()).toBe(false)

  // A second reader of the same page hears of it after the page itself.
  const heard = page.evaluate(() =>
    new Promise((resolve) => {
      const source = new EventSource('/api/topology/events')
      source.addEventListener('open', () => document.documentElement.setAttribute('data-heard', ''))
      source.addEventListener('change', resolve, { once: true })
    }).then(() => {}),
  )
  await page.locator('html[data-heard]').waitFor()
  weir.topology.report({ calls: [{ from: 'UI', to: 'newest', status: 200 }] })
  await heard
  expect(await page.locator('#service-count').textContent()).toBe('2')
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
  await page.getByRole('button', { name: 'Copy link' }).click()
  await page.locator('#replay-note', { hasText: 'copied' }).waitFor()
  const link = await page.evaluate(() => navigator.clipboard.readText())
  expect(link).toBe(page.url())
  await shows(page, ['UI', 'old'])

  await using other = await openPage(link)
  await shows(other.page, ['UI', 'old'])
  expect(await other.page.locator('#replay-banner').textContent()).toBe(
    await page.locator('#replay-banner').textContent(),
  )
  await page.getByRole('button', { name: 'Live' }).click()
  await shows(page, ['UI', 'new', 'newest', 'old'])
  expect(new URL(page.url()).search).toBe('')
  expect(problems).toEqual([])
})

browserTest('playback starts from a moment, prefetches, and pauses', async () => {
  await using weir = await start()
  await using browser = await openPage(`${weir.url}/topology?at=${iso(second - 5 * 60_000)}`)
  const { page, problems } = browser
  const asked: string[] = []
  page.on('request', (request) => {
    const at = new URL(request.url()).searchParams.get('at')
    if (request.url().includes('/api/topology?') && at !== null) asked.push(at)
  })
  await shows(page, ['UI', 'old'])
  await page.getByLabel('Minutes per second').selectOption('5')
  await page.getByRole('button', { name: 'Play' }).click()
  await page.locator('#picture g.node .nodeLabel', { hasText: /^new$/ }).waitFor()
  await page.getByRole('button', { name: 'Pause' }).click()
  const at = Date.parse(new URL(page.url()).searchParams.get('at') ?? '')
  expect(at).toBeGreaterThanOrEqual(second)
  expect(asked.some((one) => Date.parse(one) > at)).toBe(true)
  expect(new Set(asked).size).toBe(asked.length)
  expect(problems).toEqual([])
})

for (const [what, at, sentence] of [
  [
    'longer ago than a day',
    () => iso(Date.now() - 25 * HOUR_MS),
    'is too old: replay covers the last 24 hours',
  ],
  ['still to come', () => iso(Date.now() + HOUR_MS), 'is in the future'],
  ['no time', () => 'soon', "“soon” isn't a valid time"],
] as const) {
  browserTest(`a moment that is ${what} is told in a sentence, and now is shown`, async () => {
    await using weir = await start()
    await using browser = await openPage(`${weir.url}/topology?at=${at()}`)
    const { page, problems } = browser
    await page.locator('#replay-note', { hasText: sentence }).waitFor()
    await page.locator('#picture g.node .nodeLabel', { hasText: /^new$/ }).waitFor()
    expect(await page.locator('#replay-banner').isVisible()).toBe(false)
    expect(new URL(page.url()).search).toBe('')
    expect(problems).toEqual([])
  })
}

browserTest('a moment that the server rejects shows its message, and the page continues', async () => {
  await using weir = await start()
  await using browser = await openPage(`${weir.url}/topology`)
  const { page } = browser
  await page.route('**/api/topology?at=*', (route) =>
    route.fulfill({ status: 503, json: { code: 'unavailable', detail: 'The database is away.' } }),
  )
  await page.goto(`${weir.url}/topology?at=${iso(first)}`)
  await page.locator('#replay-note', { hasText: 'The database is away.' }).waitFor()
  expect(await page.locator('#picture g.node').count()).toBe(0)
  await page.getByRole('button', { name: 'Live' }).click()
  await page.locator('#picture g.node .nodeLabel', { hasText: /^new$/ }).waitFor()
})

async function start() {
  const weir = startTopology({ db: storage.db })
  await weir.topology.load()
  return weir
}

/** Calls that were reported at an instant, stored as they were then. */
async function past(at: number, calls: Parameters<Topology['report']>[0]['calls']): Promise<void> {
  const hub = new Hub()
  const topology = new Topology({ hub, db: storage.db, now: () => at })
  await topology.load()
  topology.report({ calls })
  await topology.close()
  hub.close()
}

function iso(at: number): string {
  return new Date(at).toISOString().replace(/\.\d+Z$/, 'Z')
}

async function shows(page: Page, names: string[]): Promise<void> {
  await page.waitForFunction(
    (wanted) => {
      const shown = [...document.querySelectorAll('#picture g.node .nodeLabel')].map(
        ({ textContent }) => textContent,
      )
      return JSON.stringify(shown.sort()) === wanted
    },
    JSON.stringify([...names].sort()),
  )
}
