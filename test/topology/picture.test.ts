import { expect } from 'bun:test'
import type { Page } from 'playwright-core'
import { browserTest, openPage } from './browser.ts'
import { NASTY_NAMES, SEED_GRAPH } from './seed-graph.ts'
import { startTopology } from './server.ts'

browserTest('services appear as they are reported', async () => {
  await using weir = startTopology()
  await using browser = await openPage(`${weir.url}/topology`)
  const { page, problems } = browser
  await page.getByText('No services yet').waitFor()

  weir.topology.report(SEED_GRAPH)
  await page.locator('#picture svg').waitFor()
  expect((await page.locator('#picture g.node .nodeLabel').allTextContents()).sort()).toEqual(
    SEED_GRAPH.services.map(({ id }) => id).sort(),
  )
  expect((await page.locator('#picture g.node > title').allTextContents()).sort()).toEqual(
    SEED_GRAPH.services.map(({ id }) => `${id}: white`).sort(),
  )
  expect(await page.locator('#picture path[data-id]').count()).toBe(7)
  expect(await page.locator('#services tr th').allTextContents()).toEqual(
    SEED_GRAPH.services.map(({ id }) => id),
  )
  expect(await page.locator('#activate-item option').count()).toBe(8)
  expect(await page.locator('#empty').isVisible()).toBe(false)
  expect(await page.locator('#picture svg').getAttribute('role')).toBe('group')
  expect(await page.locator('#picture svg').getAttribute('aria-label')).toStartWith(
    '8 services, 7 calls; UI calls D; D calls P',
  )
  expect(problems).toEqual([])
})

browserTest('a color changes in place', async () => {
  await using weir = startTopology()
  weir.topology.report(SEED_GRAPH)
  await using browser = await openPage(`${weir.url}/topology`)
  const { page, problems } = browser
  const svg = await page.locator('#picture svg').elementHandle()
  const node = page.locator('#picture g.node', { has: page.locator('.nodeLabel', { hasText: /^V$/ }) })

  weir.topology.color('V', 'navy')
  await page.locator('[data-service=V] [data-part=color]', { hasText: 'navy' }).waitFor()
  expect(await styleOf(page, 'V')).toEqual({ fill: 'rgb(0, 0, 128)', text: 'rgb(255, 255, 255)' })
  weir.topology.color('V', '#00FFCC')
  await page.locator('[data-service=V] [data-part=color]', { hasText: '#00ffcc' }).waitFor()
  expect(await styleOf(page, 'V')).toEqual({ fill: 'rgb(0, 255, 204)', text: 'rgb(17, 17, 17)' })
  expect(await styleOf(page, 'D')).toEqual({ fill: 'rgb(255, 255, 255)', text: 'rgb(17, 17, 17)' })

  expect(await node.locator('> title').textContent()).toBe('V: #00ffcc')
  expect(await page.evaluate((first) => first === document.querySelector('#picture svg'), svg)).toBe(true)
  expect(problems).toEqual([])
})

browserTest('a color of one frame is painted, even if the next one arrives with it', async () => {
  let time = Date.now()
  await using weir = startTopology({ now: () => time })
  weir.topology.report(SEED_GRAPH)
  await using browser = await openPage(`${weir.url}/topology`)
  const { page, problems } = browser
  await page.locator('#picture g.node').first().waitFor()
  await page.evaluate(() => {
    const fills: string[] = []
    Object.assign(globalThis, { fills })
    const look = () => {
      const node = [...document.querySelectorAll('#picture g.node')].find(
        (each) => each.querySelector('.nodeLabel')?.textContent === 'T',
      )
      const fill = node?.querySelector<SVGElement>('.label-container')?.style.fill ?? ''
      if (fill !== fills.at(-1)) fills.push(fill)
      requestAnimationFrame(look)
    }
    look()
  })
  for (let flash = 0; flash < 20; flash++) {
    for (const color of ['red', 'white']) {
      time += 40
      weir.topology.color('T', color)
    }
  }
  weir.topology.color('V', 'navy')
  await page.locator('[data-service=V] [data-part=color]', { hasText: 'navy' }).waitFor()
  const fills = await page.evaluate(() => (globalThis as unknown as { fills: string[] }).fills)
  expect(fills.filter((fill) => fill === 'red')).toHaveLength(20)
  expect(await page.locator('#joined').isVisible()).toBe(false)
  expect(problems).toEqual([])
})

browserTest('a new call redraws the picture and keeps colors, selections and input', async () => {
  await using weir = startTopology()
  weir.topology.report(SEED_GRAPH)
  await using browser = await openPage(`${weir.url}/topology`)
  const { page, problems } = browser
  await page.locator('#picture svg').waitFor()
  weir.topology.color('V', 'navy')
  weir.topology.report({ calls: [{ from: 'P', to: 'V', status: 502 }] })
  // An edge that runs level has no height, which counts as hidden.
  await page.locator('#picture path.failed').waitFor({ state: 'attached' })
  await page.locator('#activate-item').selectOption('TM')
  await page.getByLabel('Color', { exact: true }).fill('ora')

  weir.topology.report({ calls: [{ from: 'TM', to: 'new one', status: 200 }] })
  await page.locator('#picture g.node', { hasText: 'new one' }).waitFor()
  expect(await page.locator('#picture svg').count()).toBe(1)
  expect(await page.locator('#picture path[data-id]').count()).toBe(8)
  expect(await styleOf(page, 'V')).toEqual({ fill: 'rgb(0, 0, 128)', text: 'rgb(255, 255, 255)' })
  expect(await page.locator('#picture path.failed').getAttribute('data-id')).toBe('L_P_V_0')
  expect(await page.locator('#activate-item').inputValue()).toBe('TM')
  expect(await page.getByLabel('Color', { exact: true }).inputValue()).toBe('ora')
  expect(problems).toEqual([])
})

browserTest('a burst of new services is drawn together', async () => {
  await using weir = startTopology()
  weir.topology.report(SEED_GRAPH)
  await using browser = await openPage(`${weir.url}/topology`)
  const { page, problems } = browser
  await page.locator('#picture svg').waitFor()
  await page.evaluate(() => {
    const frame = document.querySelector<HTMLElement>('.picture-frame')
    if (frame === null) return
    new MutationObserver(() => {
      frame.dataset.drawings = String(Number(frame.dataset.drawings ?? 0) + 1)
    }).observe(frame, { childList: true })
  })
  for (let at = 0; at < 30; at++) weir.topology.report({ calls: [{ from: 'UI', to: `S${at}` }] })
  await page.locator('#picture g.node', { hasText: 'S29' }).waitFor()
  expect(await page.locator('#picture g.node').count()).toBe(38)
  const drawings = Number(await page.locator('.picture-frame').getAttribute('data-drawings'))
  expect(drawings).toBeGreaterThanOrEqual(1)
  expect(drawings).toBeLessThanOrEqual(3)
  expect(problems).toEqual([])
})

browserTest('a failed call shows as a dashed edge and in text, until one succeeds', async () => {
  await using weir = startTopology()
  weir.topology.report({
    calls: [
      { from: 'a', to: 'b_c' },
      { from: 'a_b', to: 'c' },
    ],
  })
  await using browser = await openPage(`${weir.url}/topology`)
  const { page, problems } = browser
  const svg = await page.locator('#picture svg').elementHandle()
  const [first, second] = await page.locator('#picture path[data-id]').all()

  weir.topology.report({ calls: [{ from: 'a_b', to: 'c', status: 503, durationMs: 12.4 }] })
  await page.locator('[data-service=c]', { hasText: 'from a_b: 503 failed in 12 ms' }).waitFor()
  await page.locator('[data-service=a_b]', { hasText: 'to c: 503 failed in 12 ms' }).waitFor()
  // Both edges have the same data-id in Mermaid's drawing.
  expect(await second?.getAttribute('class')).toContain('failed')
  expect(await first?.getAttribute('class')).not.toContain('failed')
  expect(await second?.evaluate((edge) => getComputedStyle(edge).strokeDasharray)).toBe('7px, 5px')

  weir.topology.report({ calls: [{ from: 'a_b', to: 'c', status: 200 }] })
  await page.locator('[data-service=c]', { hasText: 'from a_b: 200' }).waitFor()
  expect(await second?.getAttribute('class')).not.toContain('failed')
  expect(await second?.locator('title').textContent()).toStartWith('a_b calls c: 2 calls, 1 failed')
  expect(await page.evaluate((drawn) => drawn === document.querySelector('#picture svg'), svg)).toBe(true)
  expect(problems).toEqual([])
})

browserTest('names with a meaning in Mermaid, HTML or JavaScript are shown literally', async () => {
  await using weir = startTopology()
  const first = NASTY_NAMES[0] ?? ''
  weir.topology.report({ calls: NASTY_NAMES.map((to) => ({ from: first, to, status: 500 })) })
  for (const name of NASTY_NAMES) weir.topology.color(name, 'red')
  await using browser = await openPage(`${weir.url}/topology`)
  const { page, problems } = browser
  await page.locator('#picture svg').waitFor()
  const shown = (await page.locator('#picture g.node .nodeLabel').allTextContents()).map((name) =>
    name.replaceAll('\u2060', ''),
  )
  expect(shown.sort()).toEqual([...NASTY_NAMES].sort())
  expect((await page.locator('#services tr th').allTextContents()).sort()).toEqual([...NASTY_NAMES].sort())
  expect(await page.locator('#picture :is(script, img, a, iframe, strong, em, b)').count()).toBe(0)
  expect(await page.evaluate(() => 'hacked' in globalThis)).toBe(false)
  expect(problems).toEqual([])
})

/** What a node is filled with, and its text. */
function styleOf(page: Page, name: string) {
  const node = page.locator('#picture g.node', {
    has: page.locator('.nodeLabel', { hasText: new RegExp(`^${name}$`) }),
  })
  return node.evaluate((element) => {
    const style = (selector: string) => getComputedStyle(element.querySelector(selector) ?? element)
    return { fill: style('.label-container').fill, text: style('.nodeLabel').color }
  })
}
