import { expect, test } from 'bun:test'
import { PHONE, sidewaysScroll } from '../support/browser.ts'
import { useConsole } from '../support/console.ts'
import { describeInBrowser } from '../support/in-browser.ts'
import { Feed } from '../support/upstream.ts'

const XSS = '<img src=x onerror=alert(1)>'

describeInBrowser('in a browser', () => {
  const site = useConsole()

  test('an empty Weir explains how to start, and registers the first API from there', async () => {
    const url = site.upstream.on('/first', () => new Feed().response())
    const { page, faults, close } = await site.open()
    await page.getByRole('heading', { name: 'Follow your first API' }).waitFor()
    await page.getByLabel('API URL').fill(url)
    await page.getByRole('button', { name: 'Preview', exact: true }).click()
    await page.locator('#start').getByRole('button', { name: 'Start', exact: true }).click()
    await page.waitForURL(/\/streams\//)
    await page.goto(site.weir.url)
    await page.getByRole('link', { name: '1 stream', exact: true }).waitFor()
    expect(faults).toEqual([])
    await close()
  })

  test('shows at a glance what is wrong, what changed and what arrives, and stays current', async () => {
    const { page, faults, close } = await site.open()
    await page.getByRole('heading', { name: 'Everything is healthy' }).waitFor()
    await page.evaluate(() => document.body.setAttribute('data-first-load', 'yes'))
    await site.weir.register({
      url: site.upstream.on('/changing', (_request, hit) => Response.json({ hit })),
      kind: 'poll',
      intervalMs: 500,
      name: 'Changing',
    })
    const broken = site.upstream.on('/broken', () => new Response('no', { status: 500 }))
    const { id } = await site.weir.register({ url: broken, kind: 'poll', intervalMs: 500, name: XSS })
    await site.weir.status(id, 'backing-off')
    await page.getByRole('heading', { name: '1 stream needs attention' }).waitFor()
    const attention = page.getByRole('region', { name: 'Needs attention' })
    await attention.getByRole('link', { name: XSS }).waitFor()
    await attention.getByText('500').waitFor()
    const changed = page.getByRole('region', { name: 'Changed in the last hour' })
    await changed.getByRole('link', { name: 'Changing' }).waitFor()
    expect(await page.getAttribute('body', 'data-first-load')).toBe('yes')
    await page.getByRole('link', { name: /backing-off 1$/ }).click()
    await page.getByRole('row', { name: XSS }).waitFor()
    expect(await page.getByRole('row', { name: 'Changing' }).count()).toBe(0)
    expect(faults).toEqual([])
    await close()
  })

  test.each(['dark', 'light'] as const)('does not scroll sideways on a phone, %s', async (colorScheme) => {
    const { page, faults, close } = await site.open('/', { viewport: PHONE, colorScheme })
    await page.getByRole('heading', { level: 1 }).waitFor()
    expect(await sidewaysScroll(page)).toBe(0)
    expect(faults).toEqual([])
    await close()
  })
})
