import { test } from 'bun:test'
import type { BrowserContextOptions, Page } from 'playwright-core'
import { openBrowser, openPage as openEmptyPage, WITHOUT_BROWSER } from '../support/browser.ts'

/** A test that needs a browser. */
export function browserTest(name: string, run: () => Promise<void>): void {
  test.skipIf(WITHOUT_BROWSER)(name, run)
}

/** A page in a browser of its own, with everything that went wrong in it. */
export interface OpenPage extends AsyncDisposable {
  page: Page
  problems: string[]
}

/** Opens an address, and waits until its live connection stands unless scripts are off. */
export async function openPage(url: string, options: BrowserContextOptions = {}): Promise<OpenPage> {
  const browser = await openBrowser()
  const { page, faults } = await openEmptyPage(browser, options)
  page.on('console', (message) => {
    if (message.type() === 'warning') faults.push(message.text())
  })
  await page.goto(url)
  if (options.javaScriptEnabled !== false) await page.locator('#feed[data-state=live]').waitFor()
  return { page, problems: faults, [Symbol.asyncDispose]: () => browser.close() }
}
