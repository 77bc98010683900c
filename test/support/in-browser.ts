import { describe } from 'bun:test'
import { WITHOUT_BROWSER } from './browser.ts'

/** Tests of pages in a real browser: skipped without one, unless skipping isn't allowed. */
export const describeInBrowser = describe.skipIf(WITHOUT_BROWSER)
