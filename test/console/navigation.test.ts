import { afterAll, beforeAll, expect, test } from 'bun:test'
import type { Browser, Page } from 'playwright-core'
import { openBrowser, openPage, PHONE, sidewaysScroll } from '../support/browser.ts'
import { describeInBrowser } from '../support/in-browser.ts'
import { until } from '../support/until.ts'
import { type Everything, startEverything } from './everything.ts'

const pathOf = (page: Page) => new URL(page.url()).pathname
const focused = (page: Page) => page.evaluate(() => document.activeElement?.textContent ?? '')

describeInBrowser('in a browser', () => {
  let browser: Browser
  let everything: Everything

  beforeAll(async () => {
    ;[browser, everything] = await Promise.all([openBrowser(), startEverything()])
  })

  afterAll(async () => {
    await browser.close()
    await everything.close()
  })

  test.each([true, false])(
    'every section is reachable by keyboard on a phone (with script: %p)',
    async (script) => {
      const { page, faults, close } = await openPage(browser, { viewport: PHONE, javaScriptEnabled: script })
      await page.goto(everything.weir.url)
      await page.locator('.menu summary').focus()
      await page.keyboard.press('Enter')
      const sections = page.locator('.menu nav a')
      const names = (await sections.allTextContents()).map((text) => text.replace(/\d+$/, ''))
      for (const name of ['Overview', 'Streams', 'Twins', 'Rules', 'Silences', 'Jobs', 'Settings', 'API'])
        expect(names).toContain(name)
      for (const link of await sections.all()) {
        const box = await link.boundingBox()
        expect(box?.x).toBeGreaterThanOrEqual(0)
        expect((box?.x ?? 0) + (box?.width ?? 0)).toBeLessThanOrEqual(PHONE.width)
      }
      await page.locator('.menu').getByRole('link', { name: 'Silences' }).focus()
      await page.keyboard.press('Enter')
      await page.getByRole('heading', { level: 1, name: 'Silences' }).waitFor()
      expect(await sidewaysScroll(page)).toBe(0)
      expect(faults).toEqual([])
      await close()
    },
  )

  test.each([1440, 1024, 861, 860, 390])(
    'all sections fit in one line, or are in the menu, at %p px',
    async (width) => {
      const { page, close } = await openPage(browser, { viewport: { width, height: 900 } })
      await page.goto(`${everything.weir.url}/settings`)
      const isWide = width > 860
      expect(await page.locator('.sections').isVisible()).toBe(isWide)
      await page.locator('.menu summary').click()
      const inMenu = page.locator('.menu nav').getByRole('link')
      expect(await inMenu.getByText('Settings').isVisible()).toBe(true)
      expect(await inMenu.getByText('Channels').isVisible()).toBe(!isWide)
      expect((await page.locator('.bar').boundingBox())?.height).toBeLessThan(64)
      expect(await sidewaysScroll(page)).toBe(0)
      await close()
    },
  )

  test('the navigation of every page shows the number of open incidents', async () => {
    const { page, close } = await openPage(browser)
    await page.goto(`${everything.weir.url}/channels`)
    for (const [nav, name] of [
      ['Sections', 'Alerts'],
      ['Alerts', 'Incidents'],
    ] as const) {
      const link = page.getByRole('navigation', { name: nav, exact: true }).getByRole('link', { name })
      await link.getByText('1', { exact: true }).waitFor()
    }
    await close()
  })

  test('a section of several pages leads to each of them, and says which is open', async () => {
    const { page, faults, close } = await openPage(browser)
    await page.goto(everything.weir.url)
    await page.getByRole('navigation', { name: 'Sections' }).getByRole('link', { name: 'Data' }).click()
    const pages = page.getByRole('navigation', { name: 'Data', exact: true })
    for (const name of ['Storage', 'Archive', 'Twins']) {
      await pages.getByRole('link', { name }).click()
      await page.getByRole('heading', { level: 1, name }).waitFor()
      expect(await pages.locator('[aria-current="page"]').textContent()).toBe(name)
      expect(await page.locator('.sections [aria-current]').textContent()).toBe('Data')
    }
    expect(faults).toEqual([])
    await close()
  })

  test('two keys open a section, and j and k move through a list', async () => {
    const { page, faults, close } = await openPage(browser)
    await page.goto(everything.weir.url)
    for (const [key, path] of [
      ['s', '/streams'],
      ['w', '/twins'],
      ['t', '/topology'],
      ['i', '/incidents'],
      ['c', '/channels'],
      [',', '/settings'],
      ['h', '/'],
    ] as const) {
      // Once more if the second key came too late to belong to the first, as on a loaded machine.
      await until(`${path} is open`, async () => {
        await page.keyboard.press('g')
        await page.keyboard.press(key)
        const opened = page.waitForURL(everything.weir.url + path, { timeout: 5_000 })
        return opened.then(
          () => true,
          () => false,
        )
      })
    }
    await page.goto(`${everything.weir.url}/streams`)
    await page.keyboard.press('j')
    const first = await focused(page)
    await page.keyboard.press('j')
    const second = await focused(page)
    const names = ['Prices', 'Prices (streamed)', 'Orders', 'Gone']
    expect(names).toContain(first)
    expect(names).toContain(second)
    expect(second).not.toBe(first)
    await page.keyboard.press('k')
    expect(await focused(page)).toBe(first)
    expect(faults).toEqual([])
    await close()
  })

  test('shortcuts are off while typing, and can be turned off', async () => {
    const { page, close } = await openPage(browser)
    await page.goto(`${everything.weir.url}/streams`)
    await page.keyboard.press('/')
    await page.keyboard.type('g h?')
    expect(await page.locator('main input[type="search"]').inputValue()).toBe('g h?')
    expect(pathOf(page)).toBe('/streams')
    expect(await page.locator('dialog[open]').count()).toBe(0)
    await page.evaluate(() => (document.activeElement as HTMLElement).blur())
    await page.keyboard.press('?')
    const sheet = page.getByRole('dialog', { name: 'Keyboard shortcuts' })
    await sheet.waitFor()
    await sheet.getByLabel('Single-key shortcuts').uncheck()
    await page.keyboard.press('Escape')
    await page.reload()
    await page.keyboard.press('?')
    await page.keyboard.press('Control+k')
    await page.getByRole('dialog', { name: 'Find pages, streams and actions' }).waitFor()
    expect(await sheet.isVisible()).toBe(false)
    await close()
  })

  test('the palette finds streams, sections and actions, by keyboard alone', async () => {
    const { page, faults, close } = await openPage(browser)
    const palette = page.getByRole('dialog', { name: 'Find pages, streams and actions' })
    const input = page.getByRole('combobox', { name: 'Find pages, streams and actions' })
    const open = async (text: string, option: string) => {
      await page.keyboard.press('Control+k')
      await input.fill(text)
      await palette.getByRole('option', { name: option }).waitFor()
    }
    await page.goto(everything.weir.url)
    await open('pric', 'Prices stream')
    await page.keyboard.press('Enter')
    await page.waitForURL(`${everything.weir.url}/streams/${everything.polled}`)
    await open('stop', 'Stop Prices on this page')
    await page.keyboard.press('Enter')
    await everything.weir.status(everything.polled, 'stopped')
    await open('sil', 'Silences page')
    const chosen = () => palette.getByRole('option', { selected: true }).textContent()
    const before = await chosen()
    await page.keyboard.press('ArrowDown')
    expect(await chosen()).not.toBe(before)
    const named = await input.getAttribute('aria-activedescendant')
    expect(await page.locator(`[id="${named}"]`).getAttribute('aria-selected')).toBe('true')
    await page.keyboard.press('ArrowUp')
    await page.keyboard.press('Enter')
    await page.waitForURL(`${everything.weir.url}/silences`)
    await page.keyboard.press('Control+k')
    await input.fill('nothing is called that')
    await until('it says so', async () => (await palette.getByText('No results.').count()) === 1)
    await page.keyboard.press('Escape')
    expect(await palette.isVisible()).toBe(false)
    expect(faults).toEqual([])
    await close()
  })
})
