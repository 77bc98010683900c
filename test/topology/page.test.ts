import { expect } from 'bun:test'
import type { Page } from 'playwright-core'
import { browserTest, openPage } from './browser.ts'
import { SEED_GRAPH } from './seed-graph.ts'
import { startTopology } from './server.ts'

const PHONE = { viewport: { width: 390, height: 844 } }

browserTest('both forms work by keyboard', async () => {
  await using weir = startTopology()
  await using service = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Response('ok') })
  weir.topology.report(SEED_GRAPH)
  await using browser = await openPage(`${weir.url}/topology`)
  const { page, problems } = browser
  await page.locator('#picture svg').waitFor()

  expect(await page.getByRole('button', { name: 'Send request' }).isEnabled()).toBe(false)
  weir.topology.report({
    services: [
      { id: 'P', url: service.url.href },
      { id: 'UI', url: service.url.href },
    ],
  })
  await page.getByRole('button', { name: 'Send request through UI' }).waitFor()
  await tabTo(page, 'request-button')
  await page.keyboard.press('Enter')
  await page.locator('#request-answer', { hasText: /^UI returned 200 in \d+ ms\.$/ }).waitFor()
  await page.locator('#request-service').selectOption('P')
  await page.getByRole('button', { name: 'Send request through P' }).waitFor()

  await tabTo(page, 'activate-item')
  await page.keyboard.type('TM')
  await page.keyboard.press('Tab')
  await page.keyboard.type('orange')
  await page.keyboard.press('Enter')
  await page.locator('#activate-answer', { hasText: 'TM is now orange.' }).waitFor()
  await page.locator('[data-service=TM]', { hasText: 'orange' }).waitFor()
  expect(problems).toEqual([])
})

browserTest('a form that is refused says why', async () => {
  await using weir = startTopology()
  weir.topology.report(SEED_GRAPH)
  await using browser = await openPage(`${weir.url}/topology`)
  const { page } = browser
  await page.getByLabel('Color', { exact: true }).fill('reddish')
  await page.getByRole('button', { name: 'Set color' }).click()
  await page
    .locator('#activate-answer .error', { hasText: 'Expected a color name, #rrggbb or hsl(…).' })
    .waitFor()
})

browserTest('a topology is previewed, declared and withdrawn on the page', async () => {
  await using weir = startTopology()
  await using browser = await openPage(`${weir.url}/topology`)
  const { page, problems } = browser
  await page.getByText('Declare the topology').click()
  const text = page.getByLabel('Mermaid flowchart, or the YAML of a simulated graph')
  const answer = page.locator('#declare-answer')
  await text.fill('flowchart LR\n  UI --> <b>D')
  await page.getByRole('button', { name: 'Preview' }).click()
  await answer.getByText('Line 2: expected the ID of a node, got "<b>D".').waitFor()
  await text.fill('flowchart LR\n  UI --> D\n  D --> P')
  await page.getByRole('button', { name: 'Preview' }).click()
  await answer.getByText('3 services, 2 calls.').waitFor()
  expect(await answer.locator('li').allTextContents()).toEqual(['UI', 'D', 'P', 'UI → D', 'D → P'])
  expect(await page.locator('#picture g.node').count()).toBe(0)

  await page.getByRole('button', { name: 'Apply' }).click()
  await page.locator('#picture path.unseen[data-id]').nth(1).waitFor({ state: 'attached' })
  expect(await page.locator('#picture path.unseen > title').allTextContents()).toEqual([
    'UI calls D: declared, never seen',
    'D calls P: declared, never seen',
  ])
  weir.topology.report({ calls: [{ from: 'UI', to: 'D', status: 200 }] })
  await page.locator('#picture path.unseen', { hasText: 'UI calls D' }).waitFor({ state: 'detached' })
  await page.getByRole('button', { name: 'Preview' }).waitFor()

  await page.reload()
  await page.getByText('Declared topology').click()
  expect(await text.inputValue()).toBe('flowchart LR\n  UI --> D\n  D --> P')
  await page.getByRole('button', { name: 'Withdraw' }).click()
  await answer.getByText('The declaration is withdrawn.').waitFor()
  expect(weir.topology.declared).toBeUndefined()
  expect(problems.filter((problem) => !problem.includes('422'))).toEqual([])
})

browserTest('without script the forms and the list work', async () => {
  await using weir = startTopology()
  weir.topology.report(SEED_GRAPH)
  await using browser = await openPage(`${weir.url}/topology`, { javaScriptEnabled: false })
  const { page, problems } = browser
  await page.locator('#activate-item').selectOption('H')
  await page.getByLabel('Color', { exact: true }).fill('teal')
  await page.getByRole('button', { name: 'Set color' }).click()
  await page.locator('[data-service=H]', { hasText: 'teal' }).waitFor()
  expect(page.url()).toBe(`${weir.url}/topology`)
  expect(await page.locator('#mermaid-source').textContent()).toContain('classDef custom_H fill:teal')
  expect(problems).toEqual([])
})

browserTest('on a phone the picture and the panel stay within the page', async () => {
  await using weir = startTopology()
  weir.topology.report(SEED_GRAPH)
  weir.topology.report({
    calls: [{ from: 'UI', to: 'a-name-of-sixty-four-characters'.padEnd(64, 'x'), status: 500 }],
  })
  await using browser = await openPage(`${weir.url}/topology`, PHONE)
  const { page, problems } = browser
  await page.locator('#picture svg').waitFor()
  const widths = await page.evaluate(() => {
    const picture = document.querySelector('#picture')
    return { page: document.documentElement.scrollWidth, frame: picture?.clientWidth ?? 0 }
  })
  expect(widths.page).toBe(390)
  expect(widths.frame).toBeLessThan(390)
  await page.locator('#services button', { hasText: 'UI' }).click()
  await page.locator('#detail-title', { hasText: 'UI' }).waitFor()
  const sheet = await page.locator('#panel').boundingBox()
  const picture = await page.locator('#picture').boundingBox()
  expect(sheet?.width).toBe(390)
  expect(sheet?.y).toBeGreaterThan(picture?.y ?? Number.POSITIVE_INFINITY)
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390)
  expect(problems).toEqual([])
})

browserTest('nothing moves for readers who prefer reduced motion', async () => {
  await using weir = startTopology()
  weir.topology.report(SEED_GRAPH)
  const flash = async (reducedMotion: 'reduce' | 'no-preference') => {
    await using browser = await openPage(`${weir.url}/topology`, { reducedMotion })
    await browser.page.locator('#picture svg').waitFor()
    weir.topology.report({ calls: [{ from: 'UI', to: 'D', status: 200 }] })
    const edge = browser.page.locator('#picture path.called')
    await edge.waitFor({ state: 'attached' })
    return await edge.evaluate((element) => getComputedStyle(element).animationName)
  }
  expect([await flash('no-preference'), await flash('reduce')]).toEqual(['called', 'none'])
})

browserTest('a page whose server went down says so, and then shows the state of the next one', async () => {
  const first = startTopology()
  first.topology.report(SEED_GRAPH)
  await using browser = await openPage(`${first.url}/topology`)
  const { page } = browser
  await page.locator('#picture svg').waitFor()
  await first.close()
  await page.locator('#feed[data-state=reconnecting]', { hasText: 'Reconnecting…' }).waitFor()

  await using next = startTopology({ port: Number(new URL(first.url).port) })
  next.topology.report({ calls: [{ from: 'UI', to: 'Z' }] })
  await page.locator('#feed[data-state=live]').waitFor()
  await page.locator('#picture g.node', { hasText: 'Z' }).waitFor()
  expect((await page.locator('#picture g.node .nodeLabel').allTextContents()).sort()).toEqual(['UI', 'Z'])
  expect(await page.locator('#services tr th').allTextContents()).toEqual(['UI', 'Z'])
})

browserTest('a page that was refused the stream retries', async () => {
  await using weir = startTopology()
  weir.topology.report(SEED_GRAPH)
  await using browser = await openPage(`${weir.url}/topology`)
  const { page } = browser
  await page.route('**/api/topology/events', (route) => route.fulfill({ status: 503 }), { times: 1 })
  await page.reload()
  await page.locator('#feed[data-state=reconnecting]').waitFor()
  await page.locator('#feed[data-state=live]').waitFor()
  await page.locator('#picture svg').waitFor()
})

/** Presses Tab until the element has the focus; a page has far fewer stops than that. */
async function tabTo(page: Page, id: string): Promise<void> {
  for (let stop = 0; stop < 50; stop++) {
    if (await page.evaluate((wanted) => document.activeElement?.id === wanted, id)) return
    await page.keyboard.press('Tab')
  }
  throw new Error(`#${id} can't be reached by keyboard`)
}
