import { expect } from 'bun:test'
import type { Page } from 'playwright-core'
import { browserTest, openPage } from './browser.ts'
import { SEED_GRAPH } from './seed-graph.ts'
import { startTopology } from './server.ts'

browserTest('a service is found by name, and the URL and the back button follow', async () => {
  await using weir = startTopology()
  weir.topology.report(SEED_GRAPH)
  weir.topology.report({ services: [{ id: 'V', name: 'Video store', group: 'films' }] })
  await using browser = await openPage(`${weir.url}/topology`)
  const { page, problems } = browser
  await page.locator('#picture svg').waitFor()

  await page.keyboard.press('/')
  expect(await page.evaluate(() => document.activeElement?.id)).toBe('search')
  await page.keyboard.type('FILM')
  await page.locator('#search-list [role=option]', { hasText: 'Video store' }).waitFor()
  expect(await page.locator('#services tr:visible th').allTextContents()).toEqual(['Video store'])
  await page.keyboard.press('Enter')
  await page.locator('#detail-title', { hasText: 'Video store' }).waitFor()
  expect(await page.evaluate(() => document.activeElement?.id)).toBe('detail-title')
  await page.locator('#picture g.node.chosen', { hasText: 'Video store' }).waitFor()
  expect(new URL(page.url()).search).toBe('?q=FILM&node=V')

  await page.keyboard.press('Escape')
  await page.locator('#detail').waitFor({ state: 'hidden' })
  expect(await page.evaluate(() => document.activeElement?.id)).toBe('search')
  await page.goBack()
  await page.locator('#detail-title', { hasText: 'Video store' }).waitFor()
  expect(problems).toEqual([])
})

browserTest('idle services can be hidden, with their number', async () => {
  await using weir = startTopology()
  weir.topology.report(SEED_GRAPH)
  weir.topology.report({ calls: [{ from: 'UI', to: 'D', status: 200, durationMs: 5 }] })
  await weir.topology.tick()
  await using browser = await openPage(`${weir.url}/topology`)
  const { page, problems } = browser
  await page.getByLabel('Hide idle').check()
  await page.locator('#view-note', { hasText: '6 of 8 services hidden.' }).waitFor()
  await shows(page, ['D', 'UI'])
  expect(await page.locator('#services tr:visible').count()).toBe(8)

  // The link is the whole of it.
  await page.goto(page.url())
  await shows(page, ['D', 'UI'])
  expect(await page.getByLabel('Hide idle').isChecked()).toBe(true)
  await page.getByLabel('Hide idle').uncheck()
  await shows(page, ['D', 'DS', 'H', 'P', 'T', 'TM', 'UI', 'V'])
  expect(new URL(page.url()).search).toBe('')
  expect(problems).toEqual([])
})

browserTest('a group is one node, and is expanded and collapsed by click', async () => {
  await using weir = startTopology()
  weir.topology.report({
    services: ['a', 'b'].map((id) => ({ id, group: '<b>shop' })),
    calls: [
      { from: 'UI', to: 'a', status: 200, durationMs: 10 },
      { from: 'UI', to: 'b', status: 500, durationMs: 90 },
      { from: 'a', to: 'b', status: 200 },
    ],
  })
  await weir.topology.tick()
  await using browser = await openPage(`${weir.url}/topology`)
  const { page, problems } = browser
  await page.getByLabel('Group by').selectOption('group')
  await shows(page, ['<b>shop (2)', 'UI'])
  expect(await page.locator('#picture path[data-id]').count()).toBe(1)

  await page.locator('#services button', { hasText: 'UI' }).click()
  const callee = page.locator('#callees li')
  expect(await callee.locator('[data-part=name]').textContent()).toBe('<b>shop (2)')
  expect(await callee.locator('[data-part=numbers]').textContent()).toMatch(
    /^[\d.]+\/min, 50% errors · p50 (9|10|11) ms to [89]\d ms, p95 /,
  )
  await callee.locator('[data-part=numbers]').click()
  await page
    .locator('#detail-facts', { hasText: '2 calls: rates are added; latencies are shown as ranges' })
    .waitFor()
  await page.keyboard.press('Escape')

  await page.locator('#picture g.node', { hasText: '<b>shop (2)' }).click()
  await shows(page, ['UI', 'a', 'b'])
  await page.getByRole('button', { name: '<b>shop ▾' }).click()
  await shows(page, ['<b>shop (2)', 'UI'])
  await page.goBack()
  await shows(page, ['UI', 'a', 'b'])
  expect(problems).toEqual([])
})

browserTest('only a neighborhood is shown, with the chosen distance and direction', async () => {
  await using weir = startTopology()
  weir.topology.report(SEED_GRAPH)
  await using browser = await openPage(`${weir.url}/topology?node=P`)
  const { page, problems } = browser
  await page.getByRole('button', { name: 'Show neighbors only' }).click()
  await shows(page, ['D', 'H', 'P', 'V'])
  await page.getByLabel('Distance').selectOption('2')
  await shows(page, ['D', 'DS', 'H', 'P', 'T', 'TM', 'UI', 'V'])
  await page.getByLabel('Direction').selectOption('up')
  await shows(page, ['D', 'P', 'UI'])
  expect(new URL(page.url()).search).toBe('?node=P&focus=P&steps=2&toward=up')

  // What is found outside is worth more than the focus.
  await page.getByLabel('Find a service').fill('TM')
  await page.keyboard.press('Enter')
  await page.locator('#detail-title', { hasText: 'TM' }).waitFor()
  await shows(page, ['D', 'DS', 'H', 'P', 'T', 'TM', 'UI', 'V'])
  expect(problems).toEqual([])
})

browserTest('two thousand services in the list stay usable', async () => {
  await using weir = startTopology()
  weir.topology.report({ services: [{ id: 'first' }] })
  await using browser = await openPage(`${weir.url}/topology`)
  const { page } = browser
  const services = Array.from({ length: 2_000 }, (_, at) => ({
    id: `s${at}`,
    name: `Service ${at}`,
    kind: 'service',
    color: 'white',
    reportedAt: '2026-01-01T00:00:00Z',
    node: `s${at}`,
  }))
  // More than a server sends.
  await page.route('**/api/topology/events', (route) =>
    route.fulfill({
      headers: { 'Content-Type': 'text/event-stream' },
      body: `retry: 600000\nevent: graph\ndata: ${JSON.stringify({ version: 1, services, calls: [] })}\n\n`,
    }),
  )
  await page.goto(`${weir.url}/topology?by=kind`)
  await shows(page, ['service (2000)'])
  expect(await page.locator('#services tr').count()).toBe(2_000)
  await page.getByLabel('Find a service').fill('1999')
  await page.locator('#services tr:visible th', { hasText: 'Service 1999' }).waitFor()
  expect(await page.locator('#services tr:visible').count()).toBe(1)
  await page.keyboard.press('Enter')
  await page.locator('#detail-title', { hasText: 'Service 1999' }).waitFor()
})

/** Waits until these and no other services are drawn. */
async function shows(page: Page, names: string[]): Promise<void> {
  await page.waitForFunction(
    (wanted) => {
      const shown = [...document.querySelectorAll('#picture g.node .nodeLabel')].map(
        ({ textContent }) => textContent?.replaceAll('\u2060', '') ?? '',
      )
      return JSON.stringify(shown.sort()) === wanted
    },
    JSON.stringify([...names].sort()),
  )
}
