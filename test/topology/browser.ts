import { test } from 'bun:test'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'

const CHROMIUM = Bun.which('chromium') ?? Bun.which('chromium-browser') ?? Bun.which('google-chrome')
const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]
const isMissing = CHROMIUM === null && !process.env.WEIR_REQUIRE_BROWSER
if (isMissing)
  console.warn('Browser tests are skipped: there is no chromium. WEIR_REQUIRE_BROWSER=1 makes them fail.')

/** A browser starts, loads and draws; on a machine with much else to do that takes its time. */
const TIMEOUT_MS = 60_000

/** A test that needs a browser. */
export function browserTest(name: string, run: () => Promise<void>): void {
  test.skipIf(isMissing)(name, run, TIMEOUT_MS)
}

/** A page in a browser of its own, with everything that went wrong in it. */
export interface OpenPage extends AsyncDisposable {
  page: Page
  /** Console errors, uncaught errors, dialogs and failed requests, as text. */
  problems: string[]
}

/** Opens an address, and waits until its live connection stands unless scripts are off. */
export async function openPage(url: string, options: BrowserContextOptions = {}): Promise<OpenPage> {
  const browser = await launch()
  const page = await (
    await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options })
  ).newPage()
  const problems: string[] = []
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type()))
      problems.push(`${message.text()} ${message.location().url}`)
  })
  page.on('pageerror', (error) => problems.push(error.message))
  page.on('dialog', (dialog) => {
    problems.push(`dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  await page.goto(url)
  if (options.javaScriptEnabled !== false) await page.locator('#feed[data-state=live]').waitFor()
  return { page, problems, [Symbol.asyncDispose]: () => browser.close() }
}

function launch(): Promise<Browser> {
  if (CHROMIUM === null)
    throw new Error('There is no chromium, chromium-browser or google-chrome on the PATH.')
  return chromium.launch({ executablePath: CHROMIUM, args: ARGUMENTS })
}
