import { afterAll, beforeAll } from 'bun:test'
import type { Browser, BrowserContextOptions } from 'playwright-core'
import { openBrowser, openPage } from './browser.ts'
import { startUpstream, type Upstream } from './upstream.ts'
import { startTestWeir, type TestWeir } from './weir.ts'

/** A Weir with a browser and an API behind it, shared by all tests of a block. */
export interface TestConsole {
  readonly weir: TestWeir
  readonly upstream: Upstream
  readonly browser: Browser
  /** Opens a page of Weir in its own context. */
  open(path?: string, options?: BrowserContextOptions): ReturnType<typeof openPage>
}

export function useConsole(): TestConsole {
  const parts: { weir?: TestWeir; upstream?: Upstream; browser?: Browser } = {}
  beforeAll(async () => {
    parts.upstream = startUpstream()
    parts.weir = await startTestWeir()
    parts.browser = await openBrowser()
  })
  afterAll(async () => {
    await parts.browser?.close()
    await parts.weir?.close()
    await parts.upstream?.stop()
  })
  const part = <K extends keyof typeof parts>(name: K) => {
    const found = parts[name]
    if (found === undefined) throw new Error(`There is no ${name} before the tests begin`)
    return found as NonNullable<(typeof parts)[K]>
  }
  return {
    get weir() {
      return part('weir')
    },
    get upstream() {
      return part('upstream')
    },
    get browser() {
      return part('browser')
    },
    async open(path = '/', options = {}) {
      const opened = await openPage(part('browser'), options)
      await opened.page.goto(part('weir').url + path)
      return opened
    },
  }
}
