import { expect, test } from 'bun:test'
import type { Page } from 'playwright-core'
import { openPage, PHONE, sidewaysScroll } from '../support/browser.ts'
import { useConsole } from '../support/console.ts'
import { describeInBrowser } from '../support/in-browser.ts'
import { until } from '../support/until.ts'

interface Drawn {
  series: { label: string; values: (number | null)[] }[]
}

describeInBrowser('the charts of a stream', () => {
  const site = useConsole()

  async function polled(path: string) {
    const rows = Array.from({ length: 50 }, (_, row) => row)
    const url = site.upstream.on(path, (_request, hit) => Response.json({ hit, rows }))
    const { id } = await site.weir.register({ url, kind: 'poll', intervalMs: 500, name: path })
    const { seq } = await site.weir.entry(id, 'a change is stored', ({ kind }) => kind === 'patch')
    await site.weir.summed(id, seq)
    return id
  }

  const drawn = async (page: Page, chart: string) =>
    JSON.parse((await page.getAttribute(`#chart-${chart}`, 'data-chart')) ?? '') as Drawn
  const sum = ({ series }: Drawn) =>
    series[0]?.values.reduce((total: number, value) => total + (value ?? 0), 0)

  test('without script they are pictures with labels and a table, for each time range', async () => {
    const id = await polled('/plain')
    const { page, close } = await openPage(site.browser, { javaScriptEnabled: false })
    for (const [range, points] of [
      ['1 h', 60],
      ['24 h', 144],
      ['7 d', 168],
      ['30 d', 120],
    ] as const) {
      await page.goto(`${site.weir.url}/streams/${id}?range=${range.replace(' ', '')}`)
      const size = await drawn(page, 'size')
      expect({ range, points: size.series[0]?.values.length }).toEqual({ range, points })
      expect(sum(size)).toBeGreaterThan(0)
      expect(sum(await drawn(page, 'change'))).toBeGreaterThan(0)
      expect((await drawn(page, 'latency')).series[0]?.values.at(-1)).toBeGreaterThan(0)
      expect(await page.getAttribute('#chart-size svg', 'aria-label')).toMatch(/^Size over time: max \d/)
      expect(await page.locator('#charts tbody tr').count()).toBeLessThanOrEqual(31)
    }
    expect((await site.weir.get(`/streams/${id}?range=1y`)).status).toBe(422)
    await close()
  })

  test('with script they are drawn, and update without moving the page', async () => {
    const id = await polled('/drawn')
    for (const colorScheme of ['dark', 'light'] as const) {
      const { page, faults, close } = await openPage(site.browser, { colorScheme })
      await page.clock.install()
      await page.goto(`${site.weir.url}/streams/${id}?range=1h`)
      await page.locator('#chart-size canvas').waitFor()
      const heightOf = async (part: string) => (await page.locator(part).boundingBox())?.height
      const [before, height] = [sum(await drawn(page, 'change')) ?? 0, await heightOf('#charts')]
      await until('there are more changes', async () => {
        await page.clock.runFor(10_000)
        return (sum(await drawn(page, 'change')) ?? 0) > before
      })
      expect(await heightOf('#charts')).toBe(height)
      expect(await page.locator('canvas').count()).toBe(3)
      expect(faults).toEqual([])
      await close()
    }
  })

  test('runs and incidents are a strip with a table', async () => {
    const id = await polled('/runs')
    await site.weir.send('POST', `/api/streams/${id}/stop`)
    await site.weir.status(id, 'stopped')
    await site.weir.send('POST', `/api/streams/${id}/start`)
    await site.weir.status(id, 'live')
    const { page, close } = await openPage(site.browser, { javaScriptEnabled: false })
    await until('both runs are drawn', async () => {
      await page.goto(`${site.weir.url}/streams/${id}`)
      return (await page.locator('#timeline .run').count()) === 2
    })
    await page.getByText('As a table: 2 runs and 0 incidents').click()
    expect(await page.locator('#timeline tbody tr').first().textContent()).toContain('running')
    await close()
  })

  test('the week is in UTC and says so; with script it is in the reader’s zone', async () => {
    const id = await polled('/week')
    const plain = await openPage(site.browser, { javaScriptEnabled: false })
    await plain.page.goto(`${site.weir.url}/streams/${id}`)
    expect(await plain.page.textContent('#week-zone')).toContain('in UTC')
    const place = async (page: Page) => {
      const cell = page.locator('#week .cell').last()
      const [hour, x, y] = await Promise.all(['data-hour', 'x', 'y'].map((name) => cell.getAttribute(name)))
      return { hour: Number(hour), shown: (Number(y) / 10) * 24 + Number(x) / 10 }
    }
    const utc = await place(plain.page)
    expect(utc.shown).toBe(utc.hour)
    await plain.close()
    const { page, faults, close } = await site.open(`/streams/${id}`, { timezoneId: 'Asia/Tokyo' })
    await page.locator('#week-zone').getByText('Asia/Tokyo').waitFor()
    const local = await place(page)
    expect(local.shown).toBe((local.hour + 9) % 168)
    expect(faults).toEqual([])
    await close()
  })

  test('on a phone nothing overflows', async () => {
    const id = await polled('/narrow')
    const { page, close } = await site.open(`/streams/${id}?range=30d`, { viewport: PHONE })
    await page.locator('#chart-latency canvas').waitFor()
    expect(await sidewaysScroll(page)).toBe(0)
    await close()
  })

  test('latency is available from the API by steps; too many are rejected', async () => {
    const id = await polled('/slow')
    const { steps } = await site.weir.json<{ steps: { answers: number; p50Ms: number; p95Ms: number }[] }>(
      `/api/streams/${id}/latency?step=hour`,
    )
    const [step] = steps
    expect(step?.answers).toBeGreaterThan(0)
    expect(step?.p95Ms).toBeGreaterThanOrEqual(step?.p50Ms ?? Number.POSITIVE_INFINITY)
    const { status } = await site.weir.get(`/api/streams/${id}/latency?step=minute&from=2020-01-01`)
    expect(status).toBe(422)
  })
})
