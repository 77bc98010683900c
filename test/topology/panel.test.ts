import { expect } from 'bun:test'
import { openBrowser } from '../support/browser.ts'
import { until } from '../support/until.ts'
import { startTestWeir } from '../support/weir.ts'
import { browserTest, openPage } from './browser.ts'
import { startLab } from './lab.ts'
import { startTopology } from './server.ts'

browserTest('the panel shows details and links, and updates without losing the focus', async () => {
  await using weir = startTopology()
  weir.topology.report({
    services: [{ id: 'shop', name: '<i>Shop', group: 'web' }],
    calls: [
      { from: 'UI', to: 'shop', status: 200, durationMs: 12 },
      { from: 'shop', to: 'db', status: 500 },
    ],
  })
  await weir.topology.tick()
  await using browser = await openPage(`${weir.url}/topology`)
  const { page, problems } = browser
  await page.locator('#picture g.node', { hasText: '<i>Shop' }).click()
  await page.locator('#detail-title', { hasText: '<i>Shop' }).waitFor()
  expect(await page.locator('#detail-facts').innerText()).toContain('shop')
  expect(await page.locator('#callers [data-part=name]').allTextContents()).toEqual(['UI'])
  expect(await page.locator('#callees [data-part=numbers]').textContent()).toContain('100% errors')

  await page.locator('#callees [data-part=name]', { hasText: 'db' }).focus()
  weir.topology.color('shop', 'navy')
  weir.topology.report({ calls: [{ from: 'shop', to: 'cache', status: 200 }] })
  await page.locator('#detail-facts', { hasText: 'navy' }).waitFor()
  await page.locator('#callees [data-part=name]', { hasText: 'cache' }).waitFor()
  expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('db')
  await page.keyboard.press('Enter')
  await page.locator('#detail-title', { hasText: 'db' }).waitFor()
  await page.locator('#callers [data-part=numbers]').click()
  await page.locator('#detail-title', { hasText: '<i>Shop → db' }).waitFor()
  expect(await page.locator('#detail-facts').innerText()).toContain('1, 1 failed')
  expect(problems).toEqual([])
})

browserTest('faults are set, shown and cleared in the panel', async () => {
  await using weir = startTopology()
  await using lab = startLab()
  weir.topology.report({ services: [{ id: 'shop', url: lab.url }, { id: 'other' }] })
  await using browser = await openPage(`${weir.url}/topology?node=shop`)
  const { page } = browser
  await page.getByRole('button', { name: 'truncated' }).click()
  await page.locator('#faults-badge', { hasText: '1 active' }).waitFor()
  expect(lab.faults).toEqual({ sse: { truncate: 0.05 } })
  expect(await page.locator('#faults-active li').allTextContents()).toEqual(['truncates 5%'])

  await page.locator('#faults summary', { hasText: 'Responses' }).click()
  await page.getByLabel('Error rate, %').fill('29')
  await page.getByLabel('Error codes').fill('500:3, 503')
  await page.getByLabel('Latency p50').fill('20')
  await page.getByRole('button', { name: 'Apply' }).click()
  await page.locator('#faults-badge', { hasText: '4 active' }).waitFor()
  const faults = {
    latencyMs: { p50: 20 },
    errorRate: 0.29,
    errorCodes: { '500': 3, '503': 1 },
    sse: { truncate: 0.05 },
  }
  expect(lab.faults).toEqual(faults)

  await page.reload()
  await page.locator('#faults-badge', { hasText: '4 active' }).waitFor()
  await page.locator('#faults summary', { hasText: 'Responses' }).click()
  expect(await page.getByLabel('Error codes').inputValue()).toBe('500:3, 503:1')
  expect(await page.getByLabel('Error rate, %').inputValue()).toBe('29')

  await page.getByLabel('Error rate, %').fill('200')
  await page.getByRole('button', { name: 'Apply' }).click()
  await page.locator('#faults-note.error', { hasText: 'errorRate: expected 0 to 1.' }).waitFor()
  expect(await page.getByLabel('Error rate, %').getAttribute('aria-invalid')).toBe('true')
  expect(lab.faults).toEqual(faults)

  await page.getByRole('button', { name: 'Clear all faults' }).click()
  await page.locator('#faults-badge').waitFor({ state: 'hidden' })
  expect(lab.faults).toEqual({})
})

browserTest(
  'a service without fault injection says so, and an unreachable one doesn’t break the page',
  async () => {
    await using weir = startTopology()
    await using plain = startLab(() => new Response('no', { status: 404 }))
    const gone = startLab()
    await gone[Symbol.asyncDispose]()
    weir.topology.report({
      services: [
        { id: 'plain', url: plain.url },
        { id: 'gone', url: gone.url },
      ],
    })
    await using browser = await openPage(`${weir.url}/topology?node=plain`)
    const { page } = browser
    await page.locator('#faults-note', { hasText: "This service doesn't support fault injection." }).waitFor()
    expect(await page.locator('#faults').isVisible()).toBe(false)
    await page.locator('#services button', { hasText: 'gone' }).click()
    await page.locator('#faults-note.error', { hasText: "gone can't be reached" }).waitFor()
  },
)

browserTest('a request through the selected service shows its call tree', async () => {
  await using weir = startTopology()
  await using lab = startLab()
  weir.topology.report({
    services: [
      { id: 'shop', url: lab.url },
      { id: 'UI', url: lab.url },
    ],
  })
  await using browser = await openPage(`${weir.url}/topology?node=shop`)
  const { page, problems } = browser
  await page.getByRole('button', { name: 'Send request through shop' }).click()
  await page.locator('#request-answer', { hasText: 'shop returned 500' }).waitFor()
  expect(await page.locator('.call-tree .call-name').allTextContents()).toEqual([
    'orders',
    '<b>payments',
    'stock (attempt 2)',
  ])
  expect(await page.locator('.call-tree').innerText()).toContain('3 more')
  // The second call began halfway.
  const bar = page.locator('.call-tree .time-bar rect:last-child').nth(2)
  expect([await bar.getAttribute('x'), await bar.getAttribute('width')]).toEqual(['50.0%', '45.8%'])
  expect(problems).toEqual([])
})

browserTest(
  "the panel lists a service's streams with their status, and the last lines of their logs",
  async () => {
    await using upstream = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => Response.json({ n: 1 }) })
    const weir = await startTestWeir()
    const browser = await openBrowser()
    try {
      const stream = await weir.register({ url: `${upstream.url}prices`, kind: 'poll', name: '<b>Prices' })
      await weir.entry(stream.id, 'the first poll', ({ kind }) => kind === 'snapshot')
      const service = { id: 'shop', url: upstream.url.href }
      await weir.send('POST', '/api/topology', { services: [service] })
      const page = await browser.newPage()
      await page.goto(`${weir.url}/topology?node=shop`)
      await page.locator('#streams a', { hasText: '<b>Prices' }).waitFor()
      expect(await page.locator('#streams a').getAttribute('href')).toBe(`/streams/${stream.id}`)
      expect(await page.locator('#streams .status').textContent()).toMatch(/^. (live|quiet)$/)
      await page.locator('#log-lines li', { hasText: 'snapshot 200' }).first().waitFor()

      // A host at which no service reported itself is a node of its own, drawn by Weir.
      const elsewhere = upstream.url.href.replace('127.0.0.1', 'localhost')
      await weir.register({ url: `${elsewhere}rates`, kind: 'poll', name: '<b>Rates' })
      const id = await until('the host is drawn', async () => {
        const { services } = await weir.json<{ services: { id: string; kind: string }[] }>('/api/topology')
        return services.find(({ kind }) => kind === 'host')?.id
      })
      await page.goto(`${weir.url}/topology?node=${encodeURIComponent(id)}`)
      await page.locator('#streams a', { hasText: '<b>Rates' }).waitFor()
    } finally {
      await browser.close()
      await weir.close()
    }
  },
)
