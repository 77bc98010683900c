import { afterAll, beforeAll, expect, test } from 'bun:test'
import type { Browser, Page } from 'playwright-core'
import type { ApiDocument } from '../../src/routes/openapi/types.ts'
import { openBrowser, openPage, PHONE, sidewaysScroll } from '../support/browser.ts'
import { describeInBrowser } from '../support/in-browser.ts'
import { until } from '../support/until.ts'
import { Feed, startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

const HOSTILE = '</pre><img src=x onerror=alert(1)>'

describeInBrowser('the reference of the API', () => {
  let weir: TestWeir
  let upstream: Upstream
  let browser: Browser
  let page: Page
  let faults: string[]

  beforeAll(async () => {
    upstream = startUpstream()
    ;[weir, browser] = await Promise.all([startTestWeir(), openBrowser()])
    ;({ page, faults } = await openPage(browser))
  })

  afterAll(async () => {
    await browser.close()
    await weir.close()
    await upstream.stop()
  })

  /** The part of a page that is of one operation, which the page goes to. */
  async function open(operation: string, on = page) {
    await on.goto(`${weir.url}/openapi#${operation}`)
    const part = on.locator(`details.operation[open]:has(#${operation})`)
    await part.waitFor()
    return { part, form: part.locator('form.try') }
  }

  test('without script it shows every operation, and a URL opens the one it names', async () => {
    const { page, close } = await openPage(browser, { javaScriptEnabled: false })
    const { part, form } = await open('postApiStreams', page)
    const { paths } = await weir.json<ApiDocument>('/openapi/json')
    const ids = Object.values(paths).flatMap((methods) =>
      Object.values(methods).map(({ operationId }) => operationId),
    )
    expect(ids.length).toBeGreaterThan(60)
    const shown = await page.locator('details.operation .what').evaluateAll((all) => all.map(({ id }) => id))
    expect(shown.toSorted()).toEqual(ids.toSorted())
    const linked = await page.locator('nav.index a[href^="#"]').evaluateAll((all) => {
      return all.filter((link) => document.querySelector(link.getAttribute('href') ?? '') === null).length
    })
    expect(linked).toBe(0)
    expect(await page.locator('details.operation[open]').count()).toBe(1)
    await part.getByText('Time between two polls, in milliseconds').waitFor()
    await part.getByText('invalid_json').waitFor()
    expect(await part.locator('pre.command').textContent()).toContain('curl -X POST "')
    expect(await form.isVisible()).toBe(false)
    await close()
  })

  test('search finds operations, in the list and in the index', async () => {
    await open('getApiStatus')
    const visible = (selector: string) => page.locator(selector).filter({ visible: true }).count()
    const all = await visible('details.operation')
    await page.keyboard.press('Escape')
    await page.locator('#find-operation').fill('savings get')
    await until('few are left', async () => (await visible('details.operation')) === 2)
    expect(await visible('[data-operation]')).toBe(2)
    expect(await visible('section.group')).toBe(1)
    expect(await page.locator('#found-operations').textContent()).toBe(`2 of ${all}`)
    await page.locator('#find-operation').fill('')
    await until('all are back', async () => (await visible('details.operation')) === all)
    expect(faults).toEqual([])
  })

  test('“Try it” sends a real request; the response is shown as text, and copied as a command', async () => {
    const { part, form } = await open('postApiStreams')
    const url = upstream.on('/tried', () => Response.json({ ok: true }))
    const body = JSON.stringify({ url, kind: 'poll', name: HOSTILE, start: false })
    await form.locator('[name="body"]').fill(body)
    expect(await part.locator('pre.command').textContent()).toContain(`-d '${body}'`)
    await form.getByRole('button', { name: 'Send POST' }).click()
    await form.getByText('201 Created').waitFor()
    await form.getByText(`"${HOSTILE}"`).waitFor()
    expect(await form.locator('.came img').count()).toBe(0)
    await form.getByText(/^\d+ headers$/).click()
    await form.getByText(/location: \/api\/streams\//).waitFor()
    const { items } = await weir.json<{ items: { name: string }[] }>('/api/streams')
    expect(items.map(({ name }) => name)).toContain(HOSTILE)
    expect(faults).toEqual([])
  })

  test('destructive requests need a second click', async () => {
    const { id } = await weir.register({ url: upstream.url, kind: 'poll', start: false })
    const { form } = await open('deleteApiStreamsById')
    await form.locator('[name="path:id"]').fill(id)
    await form.getByRole('button', { name: 'Send DELETE' }).click()
    const really = form.getByRole('button', { name: 'Confirm DELETE' })
    await really.waitFor()
    expect((await weir.get(`/api/streams/${id}`)).status).toBe(200)
    await really.click()
    await form.getByText('204 No Content').waitFor()
    expect((await weir.get(`/api/streams/${id}`)).status).toBe(404)
  })

  test('an event stream shows its events until it is stopped or has shown enough', async () => {
    const feed = new Feed()
    const url = upstream.on('/events', () => feed.response())
    const { id } = await weir.register({ url, kind: 'sse' })
    const { form } = await open('getApiStreamsByIdEvents')
    const events = form.locator('ol.events > li')
    await form.locator('[name="path:id"]').fill(id)
    await form.locator('[name="query:lastEventId"]').fill('0')
    await form.getByRole('button', { name: 'Send GET' }).click()
    await until('the upstream is read', () => feed.readers > 0)
    feed.send('data: first\n\n')
    await events.getByText('"first"').waitFor()
    feed.send('data: second\n\n')
    await events.getByText('"second"').waitFor()
    await form.getByText('listening …').waitFor()
    await form.getByRole('button', { name: 'Stop' }).click()
    await form.getByText(', stopped').waitFor()
    await form.getByRole('button', { name: 'Send GET' }).click()
    for (let at = 0; at < 30; at++) feed.send(`data: ${at}\n\n`)
    await form.getByText('20 events, limit reached').waitFor()
    expect(await events.count()).toBe(20)
    expect(faults).toEqual([])
  })

  test('a body that is too large to show is truncated, with a note', async () => {
    const text = JSON.stringify(Array.from({ length: 30_000 }, (_, at) => ({ at })))
    const url = upstream.on(
      '/large',
      () => new Response(text, { headers: { 'Content-Type': 'application/json' } }),
    )
    const { id } = await weir.register({ url, kind: 'poll' })
    await weir.entry(id, 'it was polled', ({ kind }) => kind === 'snapshot')
    const { form } = await open('getApiStreamsByIdDocument')
    await form.locator('[name="path:id"]').fill(id)
    await form.getByRole('button', { name: 'Send GET' }).click()
    await form.getByText('262,144 bytes shown, the rest is omitted').waitFor()
    expect((await form.locator('.came > pre').textContent())?.length).toBe(262_144)
  })

  test('on a phone nothing scrolls sideways, whatever is open', async () => {
    const { page, faults, close } = await openPage(browser, { viewport: PHONE })
    await open('getProxy', page)
    expect(await sidewaysScroll(page)).toBe(0)
    await page.locator('details').evaluateAll((all) => {
      for (const each of all as HTMLDetailsElement[]) each.open = true
    })
    expect(await sidewaysScroll(page)).toBe(0)
    expect(faults).toEqual([])
    await close()
  })
})
