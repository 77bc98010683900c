import { expect } from 'bun:test'
import { PHONE } from '../support/browser.ts'
import { browserTest } from './browser.ts'
import { call, middleOf, openPicture, randomView, service } from './picture-page.ts'

const RECENT = { rate: 12, errorShare: 0.03, p50Ms: 40, p95Ms: 180 }
const CHAIN = {
  services: ['a', 'b', 'c'].map((id) => service(id)),
  calls: [call('a', 'b', { recent: RECENT }), call('b', 'c')],
}
const NODE = (id: string) => `#picture g.node:has(> title:text-matches("^${id}"))`

browserTest('numbers, colors and statuses change in the drawing that is there', async () => {
  await using picture = await openPicture()
  const { page } = picture
  await picture.show(CHAIN)
  const svg = await page.locator('#picture svg').elementHandle()
  expect(await page.locator('#picture .numbers').allTextContents()).toEqual(['12/min · 3%40/180 ms', ''])
  const [busy, idle] = await page.locator('#picture path[data-id]').all()
  expect([await busy?.getAttribute('data-health'), await idle?.getAttribute('data-health')]).toEqual([
    'flawed',
    'fine',
  ])
  expect(await idle?.getAttribute('class')).toContain('idle')
  const width = async () =>
    Number.parseFloat((await busy?.evaluate((path) => getComputedStyle(path).strokeWidth)) ?? '')
  const thin = await width()

  await picture.show({
    services: [
      service('a', { status: 'stalled', reason: 'silent for 4 min' }),
      service('b', { color: 'black' }),
      service('c'),
    ],
    calls: [
      call('a', 'b', { recent: { rate: 1200, errorShare: 0.4, p50Ms: 800, p95Ms: 2300 } }),
      call('b', 'c'),
    ],
  })
  expect(await page.locator('#picture .numbers').first().textContent()).toBe('1.2k/min · 40%0.8/2.3 s')
  expect(await busy?.getAttribute('data-health')).toBe('failing')
  expect(await busy?.evaluate((path) => getComputedStyle(path).strokeDasharray)).toBe('7px, 5px')
  expect(await width()).toBeGreaterThan(thin)
  expect(await page.locator(`${NODE('a')} .badge`).textContent()).toBe('◐ stalled')
  expect(await page.locator(`${NODE('a')} > title`).textContent()).toBe('a: white, stalled: silent for 4 min')
  expect(await page.evaluate((first) => first === document.querySelector('#picture svg'), svg)).toBe(true)
  expect(picture.faults).toEqual([])
})

browserTest('a changed shape keeps the zoom, and what was in the middle', async () => {
  await using picture = await openPicture()
  const { page } = picture
  const view = randomView(25, 40)
  await picture.show(view)
  const frame = await middleOf(page, '.picture-frame')
  await page.mouse.move(frame.x, frame.y)
  await page.keyboard.down('Control')
  for (let notch = 0; notch < 6; notch++) await page.mouse.wheel(0, -100)
  await page.keyboard.up('Control')
  const scaleOf = () =>
    page
      .locator('#picture g.root')
      .evaluate((root) => /scale\((.+)\)/.exec(root.getAttribute('transform') ?? '')?.[1])
  await page.waitForFunction(() => document.querySelector('#picture .numbers')?.checkVisibility())
  const scale = await scaleOf()
  await picture.call('select', 'service-3')
  await picture.call('reveal', 'service-3')
  await page.evaluate(() => new Promise(requestAnimationFrame))
  const before = await middleOf(page, `${NODE('service-3:')} .label-container`)

  await picture.show({
    services: [...view.services, service('late')],
    calls: [...view.calls, call('service-0', 'late'), call('late', 'service-3')],
  })
  await page.evaluate(() => new Promise(requestAnimationFrame))
  const after = await middleOf(page, `${NODE('service-3:')} .label-container`)
  expect(Math.abs(after.x - before.x)).toBeLessThan(2)
  expect(Math.abs(after.y - before.y)).toBeLessThan(2)
  expect(await scaleOf()).toBe(scale)
  expect(await page.locator('#picture g.node.chosen > title').textContent()).toBe('service-3: white')
  expect(await page.locator('#picture svg').count()).toBe(1)
  expect(picture.faults).toEqual([])
})

browserTest('a node is selected by click and by key, and deselected on the background', async () => {
  await using picture = await openPicture()
  const { page } = picture
  await picture.show(CHAIN)
  await page.locator(NODE('b:')).click()
  await page.mouse.click((await middleOf(page, '.picture-frame')).x, (await middleOf(page, '#before')).y + 80)
  await page.locator('#before').focus()
  await page.keyboard.press('Tab')
  await page.keyboard.press('Tab')
  expect(await page.evaluate(() => document.activeElement?.querySelector('title')?.textContent)).toBe(
    'b: white',
  )
  await page.keyboard.press('ArrowRight')
  await page.keyboard.press('Enter')
  await page.keyboard.press('Home')
  await page.keyboard.press(' ')
  await page.keyboard.press('Escape')
  expect(await picture.chosen()).toEqual(['b', undefined, 'c', 'a', undefined])
  // One stop for all nodes, then the buttons.
  await page.keyboard.press('Tab')
  expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('+')
  expect(picture.faults).toEqual([])
})

browserTest(
  'the picture pans and zooms by drag, key and button, and the wheel scrolls the page',
  async () => {
    await using picture = await openPicture()
    const { page } = picture
    await picture.show(CHAIN)
    const at = () => page.locator('#picture g.root').getAttribute('transform')
    const moved = async (act: () => Promise<unknown>) => {
      const before = await at()
      await act()
      await page.evaluate(() => new Promise(requestAnimationFrame))
      await page.evaluate(() => new Promise(requestAnimationFrame))
      return (await at()) !== before
    }
    const { x, y } = await middleOf(page, NODE('b:'))
    await page.mouse.move(x, y)
    expect(await moved(() => page.mouse.wheel(0, 100))).toBe(false)
    const drag = async () => {
      await page.mouse.down()
      await page.mouse.move(x + 60, y + 40, { steps: 4 })
      await page.mouse.up()
    }
    expect(await moved(drag)).toBe(true)
    // A drag that began on a node chooses nothing.
    expect(await picture.chosen()).toEqual([])
    await page.locator('#picture').focus()
    for (const key of ['ArrowLeft', 'ArrowDown', '+', '-', '0']) {
      expect([key, await moved(() => page.keyboard.press(key))]).toEqual([key, true])
    }
    for (const name of ['Zoom in', 'Zoom out', 'Zoom in', 'Fit diagram']) {
      expect([name, await moved(() => page.getByRole('button', { name }).click())]).toEqual([name, true])
    }
    expect(picture.faults).toEqual([])
  },
)

browserTest('on a phone two fingers zoom, one pans, and the page isn’t wider than the screen', async () => {
  await using picture = await openPicture({ viewport: PHONE, hasTouch: true, isMobile: true })
  const { page } = picture
  await picture.show(CHAIN)
  const scaleOf = () =>
    page
      .locator('#picture g.root')
      .evaluate((root) => Number(/scale\((.+)\)/.exec(root.getAttribute('transform') ?? '')?.[1]))
  const first = await scaleOf()
  const { x, y } = await middleOf(page, '.picture-frame')
  const touch = await page.context().newCDPSession(page)
  const send = (type: 'touchStart' | 'touchMove' | 'touchEnd', spread?: number) =>
    touch.send('Input.dispatchTouchEvent', {
      type,
      touchPoints:
        spread === undefined
          ? []
          : [
              { x: x - spread, y, id: 0 },
              { x: x + spread, y, id: 1 },
            ],
    })
  await send('touchStart', 20)
  for (const spread of [30, 40, 50, 60]) await send('touchMove', spread)
  await send('touchEnd')
  await page.evaluate(() => new Promise(requestAnimationFrame))
  expect(await scaleOf()).toBeGreaterThan(first * 1.5)
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390)
  // Calls go downwards where the frame is higher than wide.
  expect((await middleOf(page, NODE('a:'))).y).toBeLessThan((await middleOf(page, NODE('c:'))).y)
  expect(picture.faults).toEqual([])
})

browserTest('300 services and 1,000 calls are drawn while the page stays responsive', async () => {
  await using picture = await openPicture()
  const { page } = picture
  await picture.show(CHAIN)
  const view = randomView(300, 1000)
  const drawn = picture.show(view)
  await page.locator('.picture-note', { hasText: 'Drawing…' }).waitFor()
  // The old picture is there and works until the new one is.
  await page.locator(NODE('c:')).click()
  await page.evaluate(() => {
    let drawings = 0
    Object.assign(globalThis, { answered: () => drawings })
    const count = () => {
      drawings++
      requestAnimationFrame(count)
    }
    count()
  })
  expect(await picture.chosen()).toEqual(['c'])
  expect(await page.locator('#picture svg').count()).toBe(1)
  await drawn
  expect(
    await page.evaluate(() => (globalThis as unknown as { answered(): number }).answered()),
  ).toBeGreaterThan(10)
  expect(await page.locator('#picture g.node').count()).toBe(300)
  expect(await page.locator('#picture path[data-id]').count()).toBe(1000)
  expect(await page.locator('.picture-note').isVisible()).toBe(false)
  await picture.call('reveal', 'service-299')
  await page.locator(NODE('service-299:')).click()
  expect(await picture.chosen()).toEqual(['c', 'service-299'])
  expect(picture.faults).toEqual([])
})

browserTest('a failed layout says so, keeps the old picture, and is retried', async () => {
  await using picture = await openPicture()
  const { page } = picture
  await picture.show(CHAIN)
  await page.evaluate(() => {
    const post = Worker.prototype.postMessage
    Worker.prototype.postMessage = function () {
      Worker.prototype.postMessage = post
      this.dispatchEvent(new Event('error'))
    }
  })
  await picture.show({ services: [...CHAIN.services, service('d')], calls: CHAIN.calls })
  expect(await page.locator('.picture-problem').textContent()).toBe(
    "Can't draw the picture: the layout worker failed.",
  )
  expect(await page.locator('#picture g.node').count()).toBe(3)
  // What doesn't need a layout isn't shown on a picture of another shape; the next try draws it all.
  await page.locator(NODE('d:')).waitFor()
  expect(await page.locator('.picture-problem').isVisible()).toBe(false)
})

browserTest('a graph that is too large to draw says so', async () => {
  await using picture = await openPicture()
  await picture.show(CHAIN)
  await picture.show({ services: Array.from({ length: 701 }, (_, at) => service(`s${at}`)), calls: [] })
  expect(await picture.page.locator('.picture-problem').textContent()).toBe(
    "Can't draw the picture: 701 services and 0 calls are too many.",
  )
})

browserTest('every kind has its own shape or label, and calls may form cycles', async () => {
  await using picture = await openPicture()
  const kinds = [
    'service',
    'database',
    'queue',
    'host',
    'streams',
    'proxy',
    'subscribers',
    'channel',
    'archive',
    'rest',
  ] as const
  await picture.show({
    services: kinds.map((kind) => service(kind, { kind, color: '#00ffcc' })),
    calls: kinds.flatMap((kind, at) => [
      call(kind, kinds[(at + 1) % kinds.length] ?? kind),
      call(kind, kind),
    ]),
  })
  const fills = await picture.page
    .locator('#picture g.node')
    .evaluateAll((nodes) =>
      nodes.map((node) => getComputedStyle(node.querySelector('.label-container') ?? node).fill),
    )
  expect(fills).toEqual(kinds.map(() => 'rgb(0, 255, 204)'))
  expect(await picture.page.locator('#picture path[data-id]').count()).toBe(20)
  expect(await picture.page.locator('.picture-problem').isVisible()).toBe(false)
  expect(picture.faults).toEqual([])
})
