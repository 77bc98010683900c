import { afterAll, beforeAll, expect, test } from 'bun:test'
import type { AxeResults, RunOptions } from 'axe-core'
import type { Browser, Page } from 'playwright-core'
import { DESKTOP, openBrowser, openPage, PHONE } from '../support/browser.ts'
import { describeInBrowser } from '../support/in-browser.ts'
import { type Everything, startEverything } from './everything.ts'

const AXE = Bun.resolveSync('axe-core/axe.min.js', import.meta.dir)

const SCHEMES = ['dark', 'light'] as const
type ColorScheme = (typeof SCHEMES)[number]
const ALL_RULES: RunOptions = {}
const COLOR_RULES: RunOptions = { runOnly: ['color-contrast', 'link-in-text-block'] }
/** For one page, in milliseconds: the reference of the API is ten times as long as any other. */
const PATIENCE_MS = 180_000
/** Each with what there is on it once it is whole. */
const PAGES: readonly [name: string, path: (ids: Everything) => string, whole: string][] = [
  ['Home', () => '/', 'h1'],
  ['Streams', () => '/streams', 'h1'],
  ['a stream that is polled', ({ polled }) => `/streams/${polled}`, 'h1'],
  ['a stream of events', ({ followed }) => `/streams/${followed}`, 'h1'],
  ['a report', ({ polled }) => `/streams/${polled}/report`, 'h1'],
  ['an entry', ({ polled }) => `/streams/${polled}/entries/1`, 'h1'],
  ['a document', ({ polled }) => `/streams/${polled}/document`, 'h1'],
  ['Twins', () => '/twins', 'h1'],
  ['Topology', () => '/topology', '#picture svg'],
  ['Channels', () => '/channels', 'h1'],
  ['a channel', ({ channel }) => `/channels/${channel}`, 'h1'],
  ['Incidents', () => '/incidents', 'h1'],
  ['an incident', ({ incident }) => `/incidents/${incident}`, 'h1'],
  ['Rules', () => '/rules', 'h1'],
  ['Silences', () => '/silences', 'h1'],
  ['Storage', () => '/storage', 'h1'],
  ['Archive', () => '/archive', 'h1'],
  ['Settings', () => '/settings', 'h1'],
  ['Audit', () => '/audit', 'h1'],
  ['Sign in', () => '/login', 'h1'],
  ['API', () => '/openapi#postApiStreams', '.operation[open]'],
  ['what is not there', () => '/nothing', 'h1'],
]

describeInBrowser('axe finds nothing serious', () => {
  let browser: Browser
  let everything: Everything
  /** One for all pages, which load each other's scripts from its cache. */
  const opened = new Map<ColorScheme, Page>()

  beforeAll(async () => {
    ;[browser, everything] = await Promise.all([openBrowser(), startEverything()])
    for (const colorScheme of SCHEMES) {
      opened.set(colorScheme, (await openPage(browser, { colorScheme })).page)
    }
  })

  afterAll(async () => {
    await browser.close()
    await everything.close()
  })

  test.each(PAGES)(
    'on %s',
    async (name, path, whole) => {
      const found: string[] = []
      for (const [colorScheme, page] of opened) {
        await page.setViewportSize(DESKTOP)
        const answer = await page.goto(everything.weir.url + path(everything))
        expect(answer?.status()).toBe(name === 'what is not there' ? 404 : 200)
        await page.locator(whole).first().waitFor()
        await page.evaluate(await Bun.file(AXE).text())
        for (const [size, viewport] of Object.entries({ desktop: DESKTOP, phone: PHONE })) {
          await page.setViewportSize(viewport)
          // A page in other colors is the same in all else.
          const rules = colorScheme === 'light' ? COLOR_RULES : ALL_RULES
          for (const fault of await faultsOf(page, rules)) found.push(`${colorScheme}, ${size}: ${fault}`)
        }
      }
      expect(found).toEqual([])
    },
    PATIENCE_MS,
  )
})

interface Axe {
  run(options: RunOptions): Promise<AxeResults>
}

/** What axe calls serious or critical on a page as it is, each with the first elements that have it. */
async function faultsOf(page: Page, rules: RunOptions): Promise<string[]> {
  // No rule that runs asks for style sheets.
  const options = {
    ...rules,
    resultTypes: ['violations'],
    preload: { assets: ['media'] },
  } satisfies RunOptions
  // What passed stays there: it is far more than what didn't.
  const violations = await page.evaluate(
    async (how) => (await (globalThis as unknown as { axe: Axe }).axe.run(how)).violations,
    options,
  )
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(
      ({ id, nodes }) =>
        `${id} at ${nodes
          .slice(0, 3)
          .map(({ html }) => html.slice(0, 120))
          .join(' | ')}`,
    )
}
