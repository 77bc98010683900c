import { hostname, tmpdir } from 'node:os'
import type { Browser, Page } from 'playwright-core'

export interface Picture {
  /** File name, without what says the theme. */
  name: string
  path: string
  /** What must be there before it is taken; the heading if left out. */
  whole?: string
  /** What is done on the page first. */
  before?(page: Page): Promise<unknown>
  width: number
  height: number
}

export const SCHEMES = ['dark', 'light'] as const
export type Scheme = (typeof SCHEMES)[number]

/** Of WebP: text stays sharp. */
const QUALITY = 80
/** What the pictures call a worker, whose real name tells the machine and the process. */
const WORKER = 'weir-1:7:k3x9qd'

/**
 * Takes a picture of a page, with whatever has loaded.
 * @returns WebP; undefined when there is no such page
 */
export async function take(
  browser: Browser,
  origin: string,
  picture: Picture,
  colorScheme: Scheme,
): Promise<Uint8Array | undefined> {
  const { width, height } = picture
  const context = await browser.newContext({
    viewport: { width, height },
    ...{ colorScheme, reducedMotion: 'reduce', locale: 'en-GB', timezoneId: 'UTC' },
  })
  try {
    const page = await context.newPage()
    const answer = await page.goto(origin + picture.path)
    if (answer?.status() === 404) return undefined
    await page
      .locator(picture.whole ?? 'h1')
      .first()
      .waitFor()
    await picture.before?.(page)
    await page.waitForFunction(timesAreTold)
    await page.evaluate(rename, [`${hostname()}:\\d+:\\w+`, WORKER] as const)
    await page.evaluate(rename, [`${tmpdir()}/weir-shots-\\w+`, './data'] as const)
    const session = await context.newCDPSession(page)
    const shot = await session.send('Page.captureScreenshot', { format: 'webp', quality: QUALITY })
    return Buffer.from(shot.data, 'base64')
  } finally {
    await context.close()
  }
}

/** In the page: the script has made every time relative. */
function timesAreTold(): boolean {
  return [...document.querySelectorAll('time[data-relative]')].every((time) =>
    /^in |ago$/.test(time.textContent ?? ''),
  )
}

/** In the page: what names this machine names none. */
function rename([pattern, to]: readonly [string, string]): void {
  const from = new RegExp(pattern, 'g')
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  while (walker.nextNode()) {
    const text = walker.currentNode as Text
    if (text.data.search(from) >= 0) text.data = text.data.replace(from, to)
  }
}
