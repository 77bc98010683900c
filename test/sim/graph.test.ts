import { expect, test } from 'bun:test'
import { ENTRY, sampleGraph } from '../../src/sim/graph/graph.ts'
import { PortError } from '../../src/sim/service/service.ts'
import type { World } from '../../src/sim/world.ts'
import { activate, hurriedWorld, recordingServer, seedFor, spec, start, stubWeir, until } from './support.ts'

const EDGES = ['UI-D', 'D-P', 'P-V', 'P-H', 'V-T', 'V-DS', 'V-TM']

test('the whole graph starts on free ports, registers, draws itself and works', async () => {
  await using weir = stubWeir()
  const world = hurriedWorld()
  await using sim = await start({ services: sampleGraph(0), web: weir.url, register: true }, world)
  expect(new Set(sim.services.map(({ address }) => address)).size).toBe(8)
  await until(() => world.lines.includes(`16 streams registered with ${weir.url}`))
  expect(weir.streams).toHaveLength(16)

  const edges = (answered: boolean) => {
    const calls = weir.reports().flatMap(({ calls = [] }) => calls)
    return new Set(
      calls
        .filter(({ status }) => (status !== undefined) === answered)
        .map(({ from, to }) => `${from}-${to}`),
    )
  }
  await until(() => edges(false).size === EDGES.length)
  expect(edges(false)).toEqual(new Set(EDGES))

  const entry = sim.services.find(({ name }) => name === ENTRY)
  const response = await activate(entry?.url ?? '', { item: 'UI', color: 'gold' })
  expect([200, 500]).toContain(response.status)
  await until(() => edges(true).size === EDGES.length)
  expect(edges(true)).toEqual(new Set(EDGES))
  await until(() => sim.services.every(({ name }) => weir.colorsOf(name).at(-1) === 'white'))
  for (const { name, services } of sampleGraph(0)) {
    expect(weir.colorsOf(name)).toHaveLength(services.length === 0 ? 2 : 3)
  }
})

test('one bad leaf makes every service above it fail', async () => {
  await using weir = stubWeir()
  await using sim = await start({ services: sampleGraph(0), web: weir.url, seed: seedFor('T', 500) })
  const urlOf = (name: string) => sim.services.find((service) => service.name === name)?.url ?? ''
  expect((await activate(urlOf('UI'))).status).toBe(500)
  for (const name of ['T', 'V', 'P', 'D', 'UI']) {
    const state = await (await fetch(`${urlOf(name)}/state`)).json()
    expect(state).toMatchObject({ service: name, failed: 1, lastStatus: 500 })
  }
})

test('background traffic activates the entry service', async () => {
  await using weir = stubWeir()
  const traffic = { entry: 'B', perMinute: 600 }
  const services = [spec('A', { timeoutMs: 1 }), spec('B', { services: ['A'] })]
  await using _ = await start({ services, web: weir.url, traffic })
  await until(() => weir.colorsOf('A').length >= 6)
  expect(weir.colorsOf('B').length).toBeGreaterThan(0)
})

test('no traffic is sent when it is turned off', async () => {
  await using weir = stubWeir()
  const calls: string[] = []
  const world = hurriedWorld()
  const listening = {
    ...world,
    fetch: (url: string, init?: RequestInit) => {
      calls.push(url)
      return world.fetch(url, init)
    },
  }
  const traffic = { entry: 'A', perMinute: 0 }
  await using sim = await start({ services: [spec('A')], web: weir.url, traffic }, listening)
  await until(() => weir.reports().length >= 2)
  expect(calls.filter((url) => url.startsWith(sim.first.url))).toEqual([])
})

test('services that call each other in a circle come to an end', async () => {
  await using weir = stubWeir()
  const [a, b] = [recordingServer(() => new Response()), recordingServer(() => new Response())]
  const [portA, portB] = [a, b].map(({ url }) => Number(new URL(url).port))
  await a[Symbol.asyncDispose]()
  await b[Symbol.asyncDispose]()
  const services = [
    spec('A', { port: portA ?? 0, services: [`127.0.0.1:${portB}`], timeoutMs: 60_000 }),
    spec('B', { port: portB ?? 0, services: [`127.0.0.1:${portA}`], timeoutMs: 60_000 }),
  ]
  await using sim = await start({ services, web: weir.url })
  expect((await activate(sim.first.url)).status).toBe(500)
})

test('a port that is taken is said, with what to do, and nothing stays open', async () => {
  await using weir = stubWeir()
  await using other = await start({ services: [spec('T')], web: weir.url })
  const taken = Number(new URL(other.first.url).port)
  const free = recordingServer(() => new Response())
  const port = Number(new URL(free.url).port)
  await free[Symbol.asyncDispose]()
  const services = [spec('T', { port }), spec('DS', { port: taken })]
  const failure = await start({ services, web: weir.url }).catch((error: unknown) => error)
  expect(failure).toBeInstanceOf(PortError)
  expect(String(failure)).toContain(`DS can't listen on port ${taken} of 127.0.0.1: the port is taken.`)
  await using again = await start({ services: [spec('T', { port })], web: weir.url })
  expect(again.first.url).toBe(`http://127.0.0.1:${port}`)
})

test('closing leaves no wait behind', async () => {
  await using weir = stubWeir()
  const world = hurriedWorld()
  let waiting = 0
  const counting: World = {
    ...world,
    sleep: (ms, signal) => {
      waiting++
      return world.sleep(ms, signal).finally(() => waiting--)
    },
  }
  const services = [spec('A', { timeoutMs: 600_000 }), spec('B', { services: ['A'], timeoutMs: 600_000 })]
  const traffic = { entry: 'B', perMinute: 1 }
  await using sim = await start({ services, web: weir.url, traffic }, counting)
  const answer = activate(sim.services[1]?.url ?? '').catch(() => undefined)
  await until(() => weir.colorsOf('A').length === 1)
  expect(waiting).toBeGreaterThan(0)
  await sim.close()
  await answer
  await until(() => waiting === 0)
})
