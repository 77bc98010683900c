import { Elysia } from 'elysia'
import { raw } from 'hono/html'
import type { BrowserContextOptions, Page } from 'playwright-core'
import { nodeId } from '../../src/core/graph.ts'
import { html } from '../../src/routes/http/html.ts'
import { assetRoutes } from '../../src/routes/operation/assets.ts'
import type { Call, Service } from '../../views/topology/client/graph.ts'
import type { Picture } from '../../views/topology/client/picture/picture.ts'
import { openBrowser, openPage } from '../support/browser.ts'

const PAGE =
  '<!doctype html><meta name="viewport" content="width=device-width"><meta name="color-scheme" content="dark light">' +
  '<link rel="icon" href="/assets/views/layout/weir.svg"><link rel="stylesheet" href="/assets/views/layout/weir.css"><link rel="stylesheet" href="/assets/views/topology/topology-picture.css">' +
  '<button id="before">before</button><section class="picture"><div id="picture"></div></section>' +
  '<button id="after">after</button>'

export interface View {
  services: Service[]
  calls: Call[]
}

/** What the page keeps for the test. */
interface Kept {
  picture: Picture
  chosen: (string | undefined)[]
}

/** The picture alone on a page with the console's headers, and all that went wrong there. */
export async function openPicture(options: BrowserContextOptions = {}) {
  const app = new Elysia()
    .use(assetRoutes())
    .get('/', () => html(raw(PAGE), { inlineStyle: true }))
    .listen({ port: 0, hostname: '127.0.0.1', reusePort: false })
  const browser = await openBrowser()
  const { page, faults } = await openPage(browser, options)
  await page.goto(`http://127.0.0.1:${app.server?.port}/`)
  await page.evaluate(async () => {
    const module = '/assets/views/topology/client/picture/picture.ts'
    const { Picture } = await import(module)
    const chosen: (string | undefined)[] = []
    const panel = document.querySelector('#picture')
    const picture = new Picture(panel, { select: (id?: string) => chosen.push(id) })
    Object.assign(globalThis, { kept: { picture, chosen } })
  })
  return {
    page,
    faults,
    /** Resolves when it is drawn, or when it can't be. */
    show: (view: View) =>
      page.evaluate((shown) => (globalThis as unknown as { kept: Kept }).kept.picture.show(shown), view),
    /** What the picture told to be chosen. */
    chosen: () => page.evaluate(() => (globalThis as unknown as { kept: Kept }).kept.chosen),
    call: (method: 'select' | 'reveal' | 'fit' | 'pulse', argument?: unknown) =>
      page.evaluate(
        ([name, value]) =>
          (
            globalThis as unknown as { kept: { picture: Record<string, (value: unknown) => void> } }
          ).kept.picture[name]?.(value),
        [method, argument] as const,
      ),
    [Symbol.asyncDispose]: async () => {
      await browser.close()
      await app.server?.stop(true)
    },
  }
}

export function service(id: string, more: Partial<Service> = {}): Service {
  return {
    id,
    name: id,
    kind: 'service',
    colour: 'white',
    reportedAt: '2026-01-01T00:00:00.000Z',
    node: nodeId(id),
    ...more,
  }
}

export function call(from: string, to: string, more: Partial<Call> = {}): Call {
  return { from, to, count: 0, errors: 0, ...more }
}

/** A graph of so many services and calls, the same for the same numbers: every service is reached from the first. */
export function randomView(services: number, calls: number): View {
  const random = randomFrom(services * 31 + calls)
  const ends = new Map<string, Call>()
  const add = (from: number, to: number) => {
    const edge = call(`service-${from}`, `service-${to}`)
    ends.set(`${from} ${to}`, edge)
  }
  for (let at = 1; at < services; at++) add(Math.floor(random() * at), at)
  while (ends.size < calls) {
    const [a, b] = [random(), random()].map((part) => Math.floor(part * services)).sort((x, y) => x - y)
    if (a !== b) add(a ?? 0, b ?? 0)
  }
  return {
    services: Array.from({ length: services }, (_, at) => service(`service-${at}`)),
    calls: [...ends.values()],
  }
}

/** Where something is on the screen: its middle. */
export async function middleOf(page: Page, selector: string): Promise<{ x: number; y: number }> {
  const box = await page.locator(selector).boundingBox()
  if (box === null) throw new Error(`${selector} is nowhere on the screen`)
  return { x: box.x + box.width / 2, y: box.y + box.height / 2 }
}

/** mulberry32. */
export function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
