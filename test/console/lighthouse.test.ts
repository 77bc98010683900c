import { afterAll, beforeAll, expect, test } from 'bun:test'
import lighthouse, { type Flags } from 'lighthouse'
import type { Browser } from 'playwright-core'
import { openBrowser } from '../support/browser.ts'
import { describeInBrowser } from '../support/in-browser.ts'
import { type Everything, startEverything } from './everything.ts'

/** What depends on no clock: `bun run bench lighthouse` measures the rest. */
const CATEGORIES = ['accessibility', 'best-practices']
const SHIFT = 'cumulative-layout-shift'
/** A live page is never idle on the network: it is looked at after so long, in milliseconds. */
const LOAD_MS = 2_000
/** A sum of layout shifts that is reported as 0.00. */
const UNSEEN = 0.000_5

describeInBrowser('Lighthouse finds nothing', () => {
  let browser: Browser
  let everything: Everything
  let flags: Flags

  beforeAll(async () => {
    const listener = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
    const { port } = listener
    listener.stop()
    ;[browser, everything] = await Promise.all([
      openBrowser([`--remote-debugging-port=${port}`]),
      startEverything(),
    ])
    flags = {
      ...{ port, logLevel: 'silent', throttlingMethod: 'provided', maxWaitForLoad: LOAD_MS },
      ...{ onlyCategories: CATEGORIES, onlyAudits: [SHIFT], disableFullPageScreenshot: true },
    }
  })

  afterAll(async () => {
    await browser.close()
    await everything.close()
  })

  test.each([
    ['Home', (): string => '/'],
    ['Streams', (): string => '/streams'],
    ['a stream', (): string => `/streams/${everything.polled}`],
  ] as const)('to better on %s', async (_name, path) => {
    const result = await lighthouse(everything.weir.url + path(), flags)
    if (result === undefined) throw new Error('Lighthouse has nothing to say.')
    const { categories, audits } = result.lhr
    const failed = CATEGORIES.flatMap((name) =>
      (categories[name]?.auditRefs ?? [])
        .filter(({ id, weight }) => weight > 0 && (audits[id]?.score ?? 1) < 1)
        .map(({ id }) => `${name}: ${id}`),
    )
    expect(Object.keys(categories)).toEqual(CATEGORIES)
    expect(failed).toEqual([])
    expect(audits[SHIFT]?.numericValue).toBeLessThan(UNSEEN)
  })
})
