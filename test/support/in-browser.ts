import { describe } from 'bun:test'
import { WITHOUT_BROWSER } from './browser.ts'

/** Tests of pages in a real browser: skipped where there is none, unless they must not be. */
export const describeInBrowser = describe.skipIf(WITHOUT_BROWSER)
