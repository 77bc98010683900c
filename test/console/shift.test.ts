import { afterAll, beforeAll, expect, test } from 'bun:test'
import type { Browser, Page } from 'playwright-core'
import { DESKTOP, openBrowser, openPage, PHONE } from '../support/browser.ts'
import { describeInBrowser } from '../support/in-browser.ts'
import { until } from '../support/until.ts'
import { type Everything, startEverything } from './everything.ts'

/** How long the pages are watched while they are updated, in milliseconds. */
const WATCH_MS = 10_000
/** Six pages at once take their time on a machine that has other things to do, in milliseconds. */
const PATIENCE_MS = 120_000
/** A sum of layout shifts that nobody sees: numbers in four columns of numbers that get another digit. */
const UNSEEN = 0.000_3

/** Statuses stay as they are: an incident that opens meanwhile is news, and may move what is below. */
const WITHOUT_NEWS = { DEAD_AFTER_MS: '3600000', DEGRADED_SHARE: '1' }

interface Shift {
  value: number
  hadRecentInput: boolean
  sources: { node: Node | null }[]
}

describeInBrowser('live updates move nothing that is read', () => {
  let browser: Browser
  let everything: Everything

  beforeAll(async () => {
    ;[browser, everything] = await Promise.all([openBrowser(), startEverything(WITHOUT_NEWS)])
  })

  afterAll(async () => {
    await browser.close()
    await everything.close()
  })

  test(
    'on Home, Streams and a stream, on a desktop and on a phone',
    async () => {
      const paths = { Home: '/', Streams: '/streams', 'a stream': `/streams/${everything.polled}` }
      const opened = Object.entries(paths).flatMap(([name, path]) =>
        Object.entries({ desktop: DESKTOP, phone: PHONE }).map(async ([size, viewport]) => {
          const { page } = await openPage(browser, { viewport })
          await page.goto(everything.weir.url + path)
          await watchShifts(page)
          return { what: `${name}, ${size}`, page }
        }),
      )
      const pages = await Promise.all(opened)
      const before = await polls(everything)
      await until(
        'they were updated for a while',
        async () => (await polls(everything)) > before + WATCH_MS / 500,
      )
      for (const { what, page } of pages) await expectNoShifts(page, what)
    },
    PATIENCE_MS,
  )

  test('on Home when the first stream is stopped, on a phone', async () => {
    const { page } = await openPage(browser, { viewport: PHONE })
    await page.goto(everything.weir.url)
    await watchShifts(page)
    const stopped = page.locator('.status-counts a', { hasText: 'stopped' })
    expect(await stopped.textContent()).toEndWith(' 0')
    await everything.weir.send('POST', `/api/streams/${everything.followed}/stop`)
    await stopped.filter({ hasText: ' 1' }).waitFor()
    await expectNoShifts(page, 'Home')
  })
})

async function expectNoShifts(page: Page, what: string): Promise<void> {
  const shifts = await shiftsOn(page)
  const sum = shifts.reduce((all, { value }) => all + value, 0)
  expect(sum, `${what}: ${JSON.stringify(shifts)}`).toBeLessThan(UNSEEN)
}

async function polls({ weir, polled }: Everything): Promise<number> {
  const { counts } = await weir.json<{ counts: { entries: number } }>(`/api/streams/${polled}/status`)
  return counts.entries
}

async function watchShifts(page: Page): Promise<void> {
  await page.evaluate(() => {
    const shifts: { value: number; moved: string }[] = []
    Object.assign(globalThis, { shifts })
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries() as unknown as Shift[]) {
        if (entry.hadRecentInput) continue
        const moved = entry.sources.map(({ node }) =>
          node instanceof Element
            ? node.outerHTML.slice(0, 150)
            : (node?.textContent ?? 'something that is gone'),
        )
        shifts.push({ value: entry.value, moved: moved.join(' | ') })
      }
    }).observe({ type: 'layout-shift' })
  })
}

function shiftsOn(page: Page): Promise<{ value: number; moved: string }[]> {
  return page.evaluate(() => (globalThis as unknown as { shifts: { value: number; moved: string }[] }).shifts)
}
