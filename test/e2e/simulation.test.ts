import { afterAll, beforeAll, expect, test } from 'bun:test'
import type { Browser } from 'playwright-core'
import { sampleGraph } from '../../src/sim/graph/graph.ts'
import { type Simulation, startSimulation } from '../../src/sim/start.ts'
import { openBrowser, openPage } from '../support/browser.ts'
import { describeInBrowser } from '../support/in-browser.ts'
import { until } from '../support/until.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

const SEED = 20_261_122

let weir: TestWeir
let simulation: Simulation

beforeAll(async () => {
  console.log(`seed ${SEED}`)
  weir = await startTestWeir()
  simulation = await startSimulation({
    services: sampleGraph(0),
    web: weir.url,
    seed: SEED,
    register: true,
  })
})

afterAll(async () => {
  await simulation.close()
  await weir.close()
})

const addressOf = (name: string) =>
  simulation.services.find((service) => service.name === name)?.url as string

function activate(name: string): Promise<Response> {
  return fetch(`${addressOf(name)}/activate`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ item: name, color: 'orange' }),
  })
}

test('the simulation gives sixteen streams that are live', async () => {
  const { verdicts } = await until('all are live', async () => {
    const status = await weir.json<{ streams: number; verdicts: Record<string, number> }>('/api/status')
    return status.verdicts.live === 16 && status
  })
  expect(verdicts).toMatchObject({ live: 16, stalled: 0, dead: 0 })
})

test('the topology knows every service and every call of the graph', async () => {
  const graph = await until('all calls are declared', async () => {
    const seen = await weir.json<{ services: { id: string }[]; calls: { from: string; to: string }[] }>(
      '/api/topology',
    )
    const own = seen.calls.filter(({ from, to }) => !`${from} ${to}`.includes('weir:'))
    return own.length >= 7 && seen
  })
  // Beside Weir's own parts.
  const ids = graph.services.map((service) => service.id).filter((id) => !id.startsWith('weir:'))
  expect(ids.sort()).toEqual(['D', 'DS', 'H', 'P', 'T', 'TM', 'UI', 'V'])
  const calls = graph.calls
    .filter(({ from, to }) => !`${from} ${to}`.includes('weir:'))
    .map(({ from, to }) => `${from}-${to}`)
    .sort()
  expect(calls).toEqual(['D-P', 'P-H', 'P-V', 'UI-D', 'V-DS', 'V-T', 'V-TM'])
})

describeInBrowser('in a browser', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await openBrowser()
  })
  afterAll(() => browser.close())

  test('an activation at UI becomes colours on the topology and entries in the logs', async () => {
    const { page, faults, close } = await openPage(browser)
    await page.goto(`${weir.url}/topology`)
    await page.locator('#picture g.node', { hasText: 'UI' }).waitFor()
    const answered = activate('UI')
    // Orange while it works; when it is done, it shows how that went, and then is white again.
    await page.locator('#services tr', { hasText: 'orange' }).first().waitFor()
    expect([200, 500]).toContain((await answered).status)

    const { items } = await weir.json<{ items: { id: string }[] }>('/api/streams?q=UI%20events')
    const id = items[0]?.id as string
    const activated = await weir.entry(id, 'the activation is logged', (entry) => entry.event === 'activated')
    expect(JSON.parse(activated.data as string)).toMatchObject({ item: 'UI', color: 'orange' })
    await weir.entry(id, 'the answer is logged', (entry) => entry.event === 'answered')
    const state = (await weir.json<{ items: { id: string }[] }>('/api/streams?q=UI%20state')).items[0]
      ?.id as string
    await weir.entry(state, 'its state has changed', (entry) => entry.changed === true)
    expect(faults).toEqual([])
    await close()
  })
})
