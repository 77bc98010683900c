import { afterAll, beforeAll, expect, test } from 'bun:test'
import type { Browser, Page } from 'playwright-core'
import { DESKTOP, openBrowser, openPage, PHONE } from '../support/browser.ts'
import { describeInBrowser } from '../support/in-browser.ts'
import { until } from '../support/until.ts'
import { type Everything, startEverything } from './everything.ts'

/** How long each page is watched while it is updated, in milliseconds. */
const WATCH_MS = 10_000
/** A sum of layout shifts that is reported as 0.00: a full stop that a growing number pushes. */
const UNSEEN = 0.000_5

interface Shift {
  value: number
  hadRecentInput: boolean
  sources: { node: Node | null }[]
}

describeInBrowser('live updates move nothing that is read', () => {
  let browser: Browser
  let everything: Everything

  beforeAll(async () => {
    ;[browser, everything] = await Promise.all([openBrowser(), startEverything()])
  })

  afterAll(async () => {
    await browser.close()
    await everything.close()
  })

  for (const [size, viewport] of Object.entries({ desktop: DESKTOP, phone: PHONE })) {
    test.each([
      ['Home', (): string => '/'],
      ['Streams', (): string => '/streams'],
      ['a stream', (): string => `/streams/${everything.polled}`],
    ] as const)(`on %s, ${size}`, async (_name, path) => {
      const { page, close } = await openPage(browser, { viewport })
      await page.goto(everything.weir.url + path())
      const before = await polls(everything)
      await watchShifts(page)
      await until(
        'it was updated for a while',
        async () => (await polls(everything)) > before + WATCH_MS / 500,
      )
      const shifts = await shiftsOn(page)
      expect(
        shifts.reduce((sum, { value }) => sum + value, 0),
        JSON.stringify(shifts),
      ).toBeLessThan(UNSEEN)
      await close()
    })
  }
})

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
