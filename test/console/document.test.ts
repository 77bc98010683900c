import { afterAll, beforeAll, expect, test } from 'bun:test'
import type { Browser } from 'playwright-core'
import { openBrowser, openPage, PHONE, sidewaysScroll } from '../support/browser.ts'
import { describeInBrowser } from '../support/in-browser.ts'
import { until } from '../support/until.ts'
import { Feed, startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

const XSS = `<img src=x onerror=alert(1)>"'&`
const CHANGES = 4

describeInBrowser('in a browser', () => {
  let upstream: Upstream
  let weir: TestWeir
  let browser: Browser
  let id: string
  /** Numbers of the entries that made a version. */
  let seqs: number[]

  beforeAll(async () => {
    upstream = startUpstream()
    weir = await startTestWeir()
    browser = await openBrowser()
    const url = upstream.on('/list', (_request, hit) => Response.json(documentOf(Math.min(hit, CHANGES))))
    id = (await weir.register({ url, kind: 'poll', intervalMs: 500, name: XSS })).id
    seqs = await until('all versions are logged', async () => {
      const made = (await weir.logs(id)).filter(({ kind }) => kind === 'snapshot' || kind === 'patch')
      return made.length === CHANGES && made.map(({ seq }) => seq)
    })
  })

  afterAll(async () => {
    await browser.close()
    await weir.close()
    await upstream.stop()
  })

  const open = (path: string) => `${weir.url}/streams/${id}${path}`

  test('a stream links to its document, with the latest change', async () => {
    const { page, faults, close } = await openPage(browser)
    await page.goto(open(''))
    await page.getByRole('link', { name: 'Document' }).click()
    await page.getByRole('heading', { name: 'Changes', exact: true }).waitFor()
    expect(JSON.parse((await page.textContent('.document-text')) ?? '')).toEqual(documentOf(CHANGES))
    const changes = await page.locator('.operations li').allInnerTexts()
    expect(changes.map((text) => text.split(/\s+/).join(' '))).toEqual(['− removed /list/0 {"id":0,"n":0}'])
    expect(faults).toEqual([])
    await close()
  })

  test('without script, links lead from version to version, with old and new values', async () => {
    const { page, close } = await openPage(browser, { javaScriptEnabled: false })
    await page.goto(open('/document'))
    const shown = async () => JSON.parse((await page.textContent('.document-text')) ?? '')
    for (let version = CHANGES - 1; version >= 1; version--) {
      await page.getByRole('link', { name: '← Older' }).click()
      await page.waitForURL(`**at=seq:${seqs[version - 1]}`)
      expect(await shown()).toEqual(documentOf(version))
    }
    expect(await page.getByRole('link', { name: '← Older' }).count()).toBe(0)
    expect(await page.textContent('body')).toContain('This is the first version.')
    await page.getByRole('link', { name: 'Newer →' }).click()
    await page.waitForURL(`**at=seq:${seqs[1]}`)
    expect(await page.locator('.operations .changed del').innerText()).toBe('1')
    expect(await page.locator('.operations .changed ins').innerText()).toBe('2')
    await page.getByLabel('Time (UTC) or entry').fill(`seq:${seqs[2]}`)
    await page.getByRole('button', { name: 'Show' }).click()
    await page.waitForURL(`**at=seq%3A${seqs[2]}`)
    expect(await shown()).toEqual(documentOf(3))
    await close()
  })

  test('the slider moves between versions by key, and each has its own URL', async () => {
    const { page, faults, close } = await openPage(browser, { timezoneId: 'Asia/Tokyo', locale: 'en-GB' })
    await page.goto(open('/document'))
    const slider = page.getByRole('slider', { name: 'Document version' })
    const shows = (version: number) =>
      until(`version ${version} is shown`, async () => {
        const text = await page.textContent('.document-text')
        return JSON.stringify(JSON.parse(text ?? '')) === JSON.stringify(documentOf(version))
      })
    const isAt = (version: number) => page.waitForURL(`**/document?at=seq:${seqs[version - 1]}`)
    const { at: made } = (await weir.logs(id)).find(({ seq }) => seq === seqs[1]) ?? { at: '' }
    await slider.focus()
    await page.keyboard.press('ArrowLeft')
    await isAt(3)
    await shows(3)
    // Two at once are one step, and nothing is lost of them.
    await page.keyboard.press('ArrowLeft')
    await page.keyboard.press('ArrowDown')
    await isAt(1)
    await shows(1)
    await page.keyboard.press('ArrowRight')
    await shows(2)
    expect(await page.locator('.operations .changed ins').innerText()).toBe('2')
    const tokyo = new Date(Date.parse(made) + 9 * 3_600_000).toISOString()
    expect(await slider.getAttribute('aria-valuetext')).toContain(tokyo.slice(11, 19))
    expect(await page.locator('.versions [aria-current] time').innerText()).toBe(
      tokyo.slice(0, 23).replace('T', ' '),
    )
    await page.keyboard.press('Home')
    await isAt(1)
    await page.keyboard.press('End')
    await isAt(CHANGES)
    await shows(CHANGES)
    expect(await slider.evaluate((element) => element === document.activeElement)).toBe(true)
    await page.goBack()
    await page.waitForURL('**/document')
    await page.goForward()
    await page.reload()
    await isAt(CHANGES)
    await shows(CHANGES)
    expect(faults).toEqual([])
    await close()
  })

  test('the slider has a mark per version, can be dragged, and zooms to a day and an hour', async () => {
    const { page, faults, close } = await openPage(browser)
    await page.goto(open('/document'))
    const slider = page.getByRole('slider', { name: 'Document version' })
    expect(
      await page
        .getByRole('img', { name: `${CHANGES} versions` })
        .locator('rect')
        .count(),
    ).toBe(CHANGES)
    const box = (await slider.boundingBox()) ?? { x: 0, y: 0, width: 0, height: 0 }
    await page.mouse.move(box.x + box.width - 11, box.y + box.height / 2)
    await page.mouse.down()
    await page.mouse.move(box.x + 11, box.y + box.height / 2, { steps: 5 })
    await page.mouse.up()
    await page.waitForURL(`**/document?at=seq:${seqs[0]}`)
    await page.getByText('This is the first version.').waitFor()
    for (const zoom of ['Day', 'Hour']) {
      const zooms = page.getByRole('navigation', { name: 'Time range' })
      await zooms.getByRole('link', { name: zoom }).click()
      await page.waitForURL(`**/document?at=seq:${seqs[0]}&window=${zoom.toLowerCase()}`)
      expect(await zooms.locator('[aria-current]').innerText()).toBe(zoom)
      expect(await page.locator('.density rect').count()).toBeGreaterThan(0)
    }
    await slider.focus()
    await page.keyboard.press('ArrowRight')
    await page.waitForURL(`**/document?at=seq:${seqs[1]}&window=hour`)
    expect(faults).toEqual([])
    await close()
  })

  test('a time without a document is explained on the page, which still lists the versions', async () => {
    const { page, close } = await openPage(browser)
    for (const [moment, status, text] of [
      ['2001-01-01', 404, 'had no document at that time'],
      ['tomorrow', 422, 'expected a time'],
      ['seq:900000', 404, "Entry 900000 doesn't exist yet"],
    ] as const) {
      const response = await page.goto(open(`/document?at=${moment}`))
      expect(response?.status()).toBe(status)
      expect(await page.getByRole('alert').and(page.locator('.panel')).innerText()).toContain(text)
      expect(await page.locator('.versions a').count()).toBe(CHANGES)
    }
    await close()
  })

  test('a stream of events says that it has no document', async () => {
    const feed = new Feed()
    const url = upstream.on('/events', () => feed.response({}, 'data: 1\n\n'))
    const events = await weir.register({ url, kind: 'sse' })
    const { page, close } = await openPage(browser)
    await page.goto(`${weir.url}/streams/${events.id}/document`)
    expect(await page.textContent('main')).toContain('The stream has no document')
    await close()
  })

  test('a large document is truncated, with a link to all of it, and nothing in it runs or widens the page', async () => {
    const rows = Array.from({ length: 3_000 }, (_, row) => ({ [XSS]: `${XSS}${'x'.repeat(300)}`, row }))
    const url = upstream.on('/large', () => Response.json(rows))
    const large = await weir.register({ url, kind: 'poll' })
    await weir.entry(large.id, 'it is logged', (entry) => entry.kind === 'snapshot')
    const { page, faults, close } = await openPage(browser, { viewport: PHONE })
    await page.goto(`${weir.url}/streams/${large.id}/document`)
    expect((await page.textContent('.document-text'))?.length).toBe(65_536)
    const whole = await page.getByRole('link', { name: 'Full document' }).getAttribute('href')
    expect(await weir.json<unknown>(whole as string)).toEqual(rows)
    expect(await sidewaysScroll(page)).toBe(0)
    expect(faults).toEqual([])
    await page.goto(open('/document'))
    expect(await sidewaysScroll(page)).toBe(0)
    await close()
  })
})

/** A version of the list: what the next one changes, adds, and removes. */
function documentOf(version: number) {
  const rows = Array.from({ length: 10 }, (_, id) => ({ id, n: 0 }))
  const more = version >= 3 ? [{ id: 99, n: 0, [XSS]: XSS }] : []
  return { changes: Math.min(version, 2), list: [...(version >= 4 ? rows.slice(1) : rows), ...more] }
}
