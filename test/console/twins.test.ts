import { afterAll, beforeAll, expect, test } from 'bun:test'
import type { Browser } from 'playwright-core'
import { openBrowser, openPage, PHONE, sidewaysScroll } from '../support/browser.ts'
import { describeInBrowser } from '../support/in-browser.ts'
import { until } from '../support/until.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

const ODD = `Odd <b>"name"</b>'&`

interface Twins {
  count: number
  total: { plainBytes: number; streamedBytes: number; saving: number | null }
  items: { id: string; name: string; streamingId: string; streamedBytes: number; saving: number | null }[]
  next: string | null
}

describeInBrowser('in a browser', () => {
  let upstream: Upstream
  let weir: TestWeir
  let browser: Browser

  beforeAll(async () => {
    upstream = startUpstream()
    weir = await startTestWeir()
    browser = await openBrowser()
  })

  afterAll(async () => {
    await browser.close()
    await weir.close()
    await upstream.stop()
  })

  const poll = (name: string) => {
    const rows = Array.from({ length: 200 }, (_, id) => ({ id, price: id * 1.5 }))
    const url = upstream.on(`/${name.length}`, (_request, hit) => Response.json({ hit, rows }))
    return weir.register({ url, kind: 'poll', intervalMs: 500, name })
  }

  test('without twins the page explains how to create one, and does so with one click', async () => {
    const { page, faults, close } = await openPage(browser, { javaScriptEnabled: false, viewport: PHONE })
    await page.goto(`${weir.url}/twins`)
    await page.getByRole('heading', { name: 'No twins yet' }).waitFor()
    expect(await page.textContent('main')).toContain('No other streams are polled with GET.')
    const { id } = await poll(ODD)
    await page.reload()
    await page.getByRole('button', { name: `Create twin of ${ODD}` }).click()
    await page.waitForURL('**/twins?range=1h')
    await page.getByRole('row', { name: ODD }).getByRole('link', { name: ODD, exact: true }).waitFor()
    expect(await page.getByRole('button', { name: 'Create twin of' }).count()).toBe(0)
    const again = await weir.send('POST', `/api/streams/${id}/twin`)
    expect(again.status).toBe(409)
    expect(await sidewaysScroll(page)).toBe(0)
    expect(faults).toEqual([])
    await close()
  })

  test('the bytes of both appear by themselves, and match the API', async () => {
    const { page, faults, close } = await openPage(browser)
    await page.goto(`${weir.url}/twins?range=1h`)
    await page
      .getByRole('heading', { name: /Streaming saves \d.* compared with polling with gzip and validators/ })
      .waitFor()
    const told = await until('streaming is counted', async () => {
      const answer = await weir.json<Twins>('/api/twins')
      return (answer.total.streamedBytes > 0 && answer.total.saving !== null && answer) || undefined
    })
    const [pair] = told.items
    expect(told).toMatchObject({ count: 1, next: null })
    expect(pair?.name).toBe(ODD)
    // One number of a large document changes.
    expect(told.total.streamedBytes).toBeLessThan(told.total.plainBytes / 2)
    const twin = await weir.json<{ twinOf: string; kind: string }>(`/api/streams/${pair?.streamingId}`)
    expect(twin).toMatchObject({ twinOf: pair?.id, kind: 'sse' })
    expect(faults).toEqual([])
    await close()
  })

  test('a stream’s page creates its twin; pairs are sortable, and each order has its own URL', async () => {
    const { id, name } = await poll('Aardvarks, all')
    const other = await poll('Zebras')
    await weir.send('POST', `/api/streams/${other.id}/twin`)
    const { page, faults, close } = await openPage(browser)
    await page.goto(`${weir.url}/streams/${id}`)
    await page.getByRole('button', { name: 'Create twin', exact: true }).click()
    await page.waitForURL(`**/streams/${id}#twin`)
    await page.getByRole('heading', { name: 'Twin', exact: true }).waitFor()
    await page.goto(`${weir.url}/twins`)
    const names = async () =>
      (await page.locator('.twins tbody th > a').allInnerTexts()).filter((each) => each !== ODD)
    await page.getByRole('link', { name: 'Stream', exact: true }).click()
    await page.waitForURL('**/twins?range=24h&sort=name&order=asc')
    expect(await names()).toEqual([name, other.name])
    await page.getByRole('link', { name: 'Stream', exact: true }).click()
    await page.waitForURL('**sort=name&order=desc')
    expect(await names()).toEqual([other.name, name])
    const first = await weir.json<Twins>('/api/twins?sort=name&limit=1')
    const second = await weir.json<Twins>(`/api/twins?sort=name&limit=1&after=${first.next}`)
    expect(first.items.map((pair) => pair.name)).toEqual([name])
    expect(second.items[0]?.name).not.toBe(name)
    const whole = await weir.json<Twins>('/api/twins?sort=name')
    expect([whole.items.at(-1)?.name, whole.next]).toEqual([other.name, null])
    expect((await weir.get('/api/twins?sort=size')).status).toBe(422)
    expect((await weir.get('/api/twins?from=2026-01-02&to=2026-01-01')).status).toBe(422)
    expect(faults).toEqual([])
    await close()
  })
})
