import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'

/** The best first: without a window's parts, a context costs a quarter of the processor time. */
const PROGRAMS = ['chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome']
/** The installed Chromium; tests that need it are skipped without it, unless skipping isn't allowed. */
export const CHROMIUM = PROGRAMS.map((name) => Bun.which(name)).find((path) => path !== null) ?? undefined
export const WITHOUT_BROWSER = CHROMIUM === undefined && !process.env.WEIR_REQUIRE_BROWSER
if (WITHOUT_BROWSER) console.warn('No Chromium found: the tests of pages in a browser are skipped.')

/** No sandbox, because containers have none, and no background requests. */
const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

export function openBrowser(more: readonly string[] = []): Promise<Browser> {
  return chromium.launch({ executablePath: CHROMIUM ?? 'chromium', args: [...ARGUMENTS, ...more] })
}

export const PHONE = { width: 390, height: 844 }
export const DESKTOP = { width: 1440, height: 900 }

/** Opens a page in its own context, and collects its errors. */
export async function openPage(
  browser: Browser,
  options: BrowserContextOptions = {},
): Promise<{ page: Page; faults: string[]; close(): Promise<void> }> {
  const context = await browser.newContext({ viewport: DESKTOP, ...options })
  const page = await context.newPage()
  const faults: string[] = []
  page.on('pageerror', (error) => faults.push(error.message))
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(message.text())
  })
  page.on('dialog', (dialog) => {
    faults.push(`dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  return { page, faults, close: () => context.close() }
}

/** How far the page scrolls sideways, in CSS pixels; should be 0. */
export function sidewaysScroll(page: Page): Promise<number> {
  return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
}
