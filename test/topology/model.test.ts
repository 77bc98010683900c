import { describe, expect, test } from 'bun:test'
import type { Service } from '../../src/core/graph.ts'
import { Hub } from '../../src/hub/hub.ts'
import { type CallReport, MAX_CALLS, MAX_SERVICES, Topology } from '../../src/topology/topology.ts'

const NOON = Date.UTC(2026, 2, 10, 12)
const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000
const REST = 'weir:folded'

/** A topology whose clock the test moves. */
function open() {
  const clock = { now: NOON }
  const topology = new Topology({ hub: new Hub(), now: () => clock.now })
  return {
    clock,
    topology,
    call: (from: string, to: string, more: Partial<CallReport> = {}) =>
      topology.report({ calls: [{ from, to, status: 200, ...more }] }),
    edge: (from: string, to: string) =>
      topology.graph().calls.find((call) => call.from === from && call.to === to),
  }
}

describe('ten thousand names of a broken client', () => {
  const REAL = ['UI', 'D', 'P', 'V', 'T']
  const junk = Array.from({ length: 10_000 }, (_, at) => `junk-${at}`)
  const batches = Array.from({ length: 20 }, (_, at) => junk.slice(at * 500, at * 500 + 500))
  const flood: [string, (names: string[]) => Parameters<Topology['report']>[0]][] = [
    ['as services', (names) => ({ services: names.map((id) => ({ id })) })],
    ['as calls of one another', (names) => ({ calls: names.map((from) => ({ from, to: `${from}b` })) })],
    [
      'as calls from a real one',
      (names) => ({ calls: names.map((to) => ({ from: 'UI', to, status: 200 })) }),
    ],
  ]

  test.each(flood)('%s leave a bounded graph, with the real ones that are called', (_, report) => {
    const { clock, topology, call, edge } = open()
    const callAll = () => {
      for (const [at, to] of REAL.slice(1).entries()) call(REAL[at] ?? '', to, { durationMs: 5 })
    }
    for (const names of batches) {
      callAll()
      clock.now += 100
      topology.report(report(names))
    }
    const { services, calls } = topology.graph()
    expect([services.length, calls.length <= MAX_CALLS]).toEqual([MAX_SERVICES + 1, true])
    expect(services.map(({ id }) => id)).toContainValues(REAL)
    expect(edge('UI', 'D')).toMatchObject({ count: batches.length })
    const known = new Set(services.map(({ id }) => id))
    expect(calls.filter(({ from, to }) => !known.has(from) || !known.has(to))).toEqual([])
  })

  test('are counted, and their calls are added up', () => {
    const { topology, call, edge } = open()
    for (const names of batches) {
      call('UI', 'D')
      call('UI', 'D')
      topology.report({ calls: names.map((to) => ({ from: 'UI', to, status: 500, durationMs: 20 })) })
    }
    const rest = topology.service(REST)
    expect(rest).toMatchObject({ kind: 'rest', name: '9,502 more' })
    expect(edge('UI', REST)).toMatchObject({ count: 9_502, errors: 9_502, lastStatus: 500 })
    void topology.tick()
    expect(edge('UI', REST)?.recent).toMatchObject({ rate: 9_500, errorShare: 1 })
    call('UI', 'junk-0')
    call('UI', 'junk-0')
    expect(topology.service('junk-0')).toBeDefined()
    expect(topology.service(REST)?.name).toBe('9,502 more')
  })

  test('are gone after a day without them', () => {
    const { clock, topology, call } = open()
    for (const names of batches) topology.report({ services: names.map((id) => ({ id })) })
    clock.now += 24 * HOUR_MS + 1
    call('UI', 'D')
    void topology.tick()
    expect(topology.graph().services.map(({ id }) => id)).toEqual(['UI', 'D'])
  })
})

test('the oldest idle ones are folded first, whatever their calls were', () => {
  const { clock, topology, call } = open()
  for (let at = 0; at < MAX_SERVICES; at += 2) {
    for (let time = 0; time < 3; time++) call(`S${at}`, `S${at + 1}`)
    clock.now += 1_000
  }
  clock.now += 10 * MINUTE_MS
  for (let at = 4; at < MAX_SERVICES; at++) topology.report({ services: [{ id: `S${at}` }] })
  topology.report({ services: [{ id: 'one' }, { id: 'two' }] })
  const ids = topology.graph().services.map(({ id }) => id)
  expect(['S0', 'S1', 'S2', 'S3', 'one', 'two'].map((id) => ids.includes(id))).toEqual([
    false,
    false,
    true,
    true,
    true,
    true,
  ])
  expect(topology.service(REST)?.name).toBe('2 more')
})

test('calls beyond the limit lead to the folded node', () => {
  const { clock, topology, call, edge } = open()
  const ids = Array.from({ length: 100 }, (_, at) => `S${at}`)
  for (let time = 0; time < 3; time++) call('S0', 'S1')
  for (const from of ids)
    topology.report({ calls: ids.slice(0, 30).map((to) => ({ from, to, status: 200 })) })
  clock.now += 1_000
  const { services, calls } = topology.graph()
  expect([services.length, calls.length]).toEqual([101, MAX_CALLS])
  expect(edge('S0', 'S1')?.count).toBe(4)
  expect(topology.service(REST)).toMatchObject({ kind: 'rest', name: 'all others' })
  expect(calls.reduce((sum, { count }) => sum + count, 0)).toBe(3_003)
})

test('services idle for a day are removed, and reported as removed', () => {
  const { clock, topology, call } = open()
  call('A', 'B')
  clock.now += 12 * HOUR_MS
  topology.color('B', 'red')
  clock.now += 12 * HOUR_MS
  void topology.tick()
  expect(topology.graph().services).toHaveLength(2)
  clock.now += 1
  void topology.tick()
  expect(topology.graph()).toMatchObject({ services: [{ id: 'B' }], calls: [] })
})

describe('the last five minutes of an edge', () => {
  test('are a rate, a share of errors and latencies, and end', () => {
    const { clock, topology, call, edge } = open()
    for (let second = 0; second < 600; second++) {
      clock.now = NOON + second * 1_000
      call('A', 'B', { status: second % 4 === 0 ? 503 : 200, durationMs: second % 100 })
    }
    clock.now = NOON + 10 * MINUTE_MS - 1
    void topology.tick()
    const recent = edge('A', 'B')?.recent
    expect(recent).toMatchObject({ rate: 60, errorShare: 0.25 })
    expect(Math.abs((recent?.p50Ms ?? 0) - 49.5)).toBeLessThan(49.5 * 0.06)
    expect(Math.abs((recent?.p95Ms ?? 0) - 94.5)).toBeLessThan(94.5 * 0.06)

    clock.now = NOON + 12 * MINUTE_MS - 1
    void topology.tick()
    expect(edge('A', 'B')?.recent?.rate).toBe(36)
    clock.now = NOON + 15 * MINUTE_MS
    void topology.tick()
    expect(edge('A', 'B')).toMatchObject({ count: 600 })
    expect(edge('A', 'B')?.recent).toBeUndefined()
  })

  test('start when the edge was first known, but cover at least a minute', () => {
    const { clock, topology, call, edge } = open()
    for (let time = 0; time < 10; time++) call('A', 'B')
    clock.now += 1_000
    void topology.tick()
    expect(edge('A', 'B')?.recent).toEqual({ rate: 10, errorShare: 0 })
    clock.now += 2 * MINUTE_MS - 1_000
    void topology.tick()
    expect(edge('A', 'B')?.recent?.rate).toBe(5)
  })

  test('are published only if they changed', () => {
    const { clock, topology, call } = open()
    call('A', 'B')
    call('C', 'D')
    void topology.tick()
    const { version } = topology.snapshot()
    void topology.tick()
    expect(topology.snapshot().version).toBe(version)
    clock.now += 3 * MINUTE_MS
    void topology.tick()
    expect(topology.snapshot().version).toBe(version + 1)
  })
})

describe('an overlay', () => {
  const own = (id: string, more: Partial<Service> = {}): Service => ({
    ...{ id, name: id, kind: 'host', color: 'white', reportedAt: '2026-03-10T12:00:00.000Z' },
    ...more,
  })

  test('adds to what programs report, and replaces only what it added', () => {
    const { topology, call } = open()
    call('UI', 'D')
    topology.overlay('weir', {
      services: [own('weir:a'), own('weir:b')],
      calls: [{ from: 'weir:a', to: 'weir:b', count: 1, errors: 0 }],
    })
    topology.overlay('other', { services: [own('weir:c')], calls: [] })
    topology.overlay('weir', { services: [own('weir:a', { color: 'red' })], calls: [] })
    expect(topology.graph().services.map(({ id, color }) => [id, color])).toEqual([
      ['UI', 'white'],
      ['D', 'white'],
      ['weir:c', 'white'],
      ['weir:a', 'red'],
    ])
    expect(topology.graph().calls).toMatchObject([{ from: 'UI', to: 'D' }])
    expect(topology.reported().services.map(({ id }) => id)).toEqual(['UI', 'D'])
  })

  test('publishes only differences', () => {
    const { topology } = open()
    const calls = [{ from: 'weir:a', to: 'weir:b', count: 1, errors: 0 }]
    topology.overlay('weir', { services: [own('weir:a'), own('weir:b')], calls })
    const { version } = topology.snapshot()
    const later = { reportedAt: '2026-03-10T13:00:00.000Z' }
    topology.overlay('weir', {
      services: [own('weir:a', later), own('weir:b')],
      calls: structuredClone(calls),
    })
    expect(topology.snapshot().version).toBe(version)
    topology.overlay('weir', { services: [own('weir:a', { reason: 'Dead' }), own('weir:b')], calls })
    expect(topology.snapshot().version).toBe(version + 1)
    topology.overlay('weir', { services: [], calls: [] })
    expect(topology.snapshot()).toMatchObject({ version: version + 2, services: [], calls: [] })
  })

  test('beyond the limit is cut', () => {
    const { topology } = open()
    topology.overlay('weir', {
      services: Array.from({ length: 600 }, (_, at) => own(`weir:${at}`)),
      calls: [],
    })
    expect(topology.graph().services).toHaveLength(500)
  })
})
