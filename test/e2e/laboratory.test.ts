import { afterAll, beforeAll, expect, test } from 'bun:test'
import { loadGraph } from '../../src/sim/graph/load-graph.ts'
import { startSimulation } from '../../src/sim/start.ts'
import { until } from '../support/until.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

const SEED = 20_261_122

interface Topology {
  services: { id: string; kind: string; group?: string }[]
  calls: { from: string; to: string; count: number }[]
}

let weir: TestWeir

beforeAll(async () => {
  console.log(`seed ${SEED}`)
  weir = await startTestWeir()
})

afterAll(() => weir.close())

/** A ready graph on free ports, without traffic of its own. */
async function started(which: string, register: boolean) {
  const loaded = await loadGraph({ which, portBase: 0, perMinute: 0 }, SEED)
  if ('problems' in loaded) throw new Error(loaded.problems.join('\n'))
  const { services } = loaded.graph
  const simulation = await startSimulation({ services, web: weir.url, seed: SEED, register })
  const activate = async (name: string) => {
    const url = simulation.services.find((service) => service.name === name)?.url
    const response = await fetch(`${url}/activate`, { method: 'POST', body: '{"color":"gold"}' })
    return (await response.json()) as { status: number; tree: { service: string; calls: object[] } }
  }
  return { services, activate, [Symbol.asyncDispose]: simulation.close }
}

const drawn = (what: string, fits: (topology: Topology) => boolean) =>
  until(what, async () => {
    const topology = await weir.json<Topology>('/api/topology')
    return fits(topology) && topology
  })

test('the shop draws itself with kinds and groups, is followed, and counts its calls', async () => {
  await using shop = await started('shop', true)
  const pairs = shop.services.flatMap(({ name, services }) => services.map((called) => `${name}-${called}`))
  const own = (topology: Topology) =>
    topology.calls.filter(({ from, to }) => pairs.includes(`${from}-${to}`)).length
  const { services } = await drawn('all is declared', (topology) => own(topology) === pairs.length)
  const byId = Object.fromEntries(services.map((service) => [service.id, service]))
  expect(byId['order-db']).toMatchObject({ kind: 'database', group: 'data' })
  expect(byId.events).toMatchObject({ kind: 'queue', group: 'data' })
  expect(byId.web).toMatchObject({ kind: 'service', group: 'edge' })

  const { status, tree } = await shop.activate('web')
  expect([200, 500]).toContain(status)
  expect(tree.service).toBe('web')
  expect(tree.calls.length).toBeGreaterThan(0)
  await drawn('a call is counted', ({ calls }) =>
    calls.some(({ from, to, count }) => from === 'web' && to === 'session' && count > 0),
  )
  await until('all its streams are live', async () => {
    const { verdicts } = await weir.json<{ verdicts: Record<string, number> }>('/api/status')
    // A state and events of each, and four feeds.
    return verdicts.live === 54
  })
}, 60_000)

test('a random graph of 60 draws itself and works', async () => {
  await using graph = await started('random:60', false)
  const names = new Set(graph.services.map(({ name }) => name))
  const { calls } = await drawn('all is declared', (topology) => {
    const own = topology.calls.filter(({ from }) => names.has(from))
    return own.length === 180 && topology.services.filter(({ id }) => names.has(id)).length === 60
  })
  expect(calls.length).toBeGreaterThanOrEqual(180)
  expect((await graph.activate('s01')).tree.service).toBe('s01')
}, 60_000)
