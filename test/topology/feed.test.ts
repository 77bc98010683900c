import { expect, test } from 'bun:test'
import { Hub } from '../../src/hub/hub.ts'
import { Topology } from '../../src/topology/topology.ts'
import { startTopology } from './server.ts'

/** Messages that the feed keeps. */
const KEPT = 500

type Weir = ReturnType<typeof startTopology>

test('a subscriber gets the whole graph and then changes, numbered without holes', async () => {
  await using weir = startTopology()
  weir.topology.report({ services: [{ id: 'A' }] })
  using events = await weir.events('/api/topology/events')
  const first = await events.nextJson()
  expect(first).toMatchObject({
    event: 'graph',
    data: { version: first.id, services: [{ id: 'A', node: 'A' }], calls: [] },
  })

  weir.topology.color('A', 'Red')
  expect(await events.nextJson()).toEqual({
    event: 'change',
    id: first.id + 1,
    data: {
      version: first.id + 1,
      services: [
        { id: 'A', name: 'A', kind: 'service', color: 'red', node: 'A', reportedAt: expect.any(String) },
      ],
    },
  })
  weir.topology.report({ calls: [{ from: 'A', to: 'b-c', status: 500, durationMs: 7 }] })
  const second = await events.nextJson()
  expect(second).toMatchObject({
    event: 'change',
    id: first.id + 2,
    data: {
      services: [{ id: 'b-c', node: '_b_2d_c' }],
      calls: [{ from: 'A', to: 'b-c', count: 1, errors: 1, lastStatus: 500, lastDurationMs: 7 }],
    },
  })
  expect(second.data.services).toHaveLength(1)
})

test('a color that lasts for a frame of a screen is sent, and shorter ones are joined and counted', async () => {
  let time = Date.now()
  await using weir = startTopology({ now: () => time })
  weir.topology.color('A', 'white')
  using events = await weir.events('/api/topology/events')
  await events.nextJson()
  const recolor = (color: string, afterMs: number) => {
    time += afterMs
    weir.topology.color('A', color)
  }
  const next = async () => {
    const { services, joinedColors } = (await events.nextJson()).data
    return [services[0].color, joinedColors]
  }
  recolor('red', 500)
  recolor('white', 40)
  expect(await next()).toEqual(['red', undefined])
  for (const color of ['blue', 'lime', 'gold']) recolor(color, 5)
  expect(await next()).toEqual(['gold', 3])
})

test('simultaneous changes are one frame, with the last of each', async () => {
  await using weir = startTopology()
  using events = await weir.events('/api/topology/events')
  const { id } = await events.nextJson()
  for (let at = 0; at < 30; at++)
    weir.topology.report({ calls: [{ from: 'A', to: `S${at % 3}`, status: 200 }] })
  weir.topology.color('A', 'blue')
  const change = await events.nextJson()
  expect(change.id).toBe(id + 1)
  expect(
    change.data.services.map((service: { id: string; color: string }) => [service.id, service.color]),
  ).toEqual([
    ['A', 'blue'],
    ['S0', 'white'],
    ['S1', 'white'],
    ['S2', 'white'],
  ])
  expect(change.data.calls.map((call: { to: string; count: number }) => [call.to, call.count])).toEqual([
    ['S0', 10],
    ['S1', 10],
    ['S2', 10],
  ])
})

test('a new service sends only itself, not the graph', async () => {
  await using weir = startTopology()
  weir.topology.report({ services: Array.from({ length: 300 }, (_, at) => ({ id: `S${at}` })) })
  using events = await weir.events('/api/topology/events')
  await events.nextJson()
  weir.topology.report({ services: [{ id: 'new' }] })
  const { data } = await events.nextJson()
  expect([data.services.map(({ id }: { id: string }) => id), data.calls]).toEqual([['new'], undefined])
})

test('all viewers get the same frame, and a late one the same graph', async () => {
  await using weir = startTopology()
  using early = await weir.events('/api/topology/events')
  using other = await weir.events('/api/topology/events')
  const held = new Map<string, unknown>()
  for (const events of [early, other]) await events.next()
  weir.topology.report({ calls: [{ from: 'A', to: 'B', status: 200 }] })
  const [one, two] = [await early.next(), await other.next()]
  expect(one).toEqual(two)
  for (const service of JSON.parse(one.data).services) held.set(service.id, service)

  // Not published yet when the late one comes.
  weir.topology.color('B', 'red')
  using late = await weir.events('/api/topology/events')
  const graph = await late.nextJson()
  const change = await early.nextJson()
  for (const service of change.data.services) held.set(service.id, service)
  expect(graph.id).toBe(change.id)
  expect(graph.data.services).toEqual([...held.values()])
  weir.topology.color('A', 'lime')
  expect((await late.nextJson()).id).toBe(change.id + 1)
})

test('removed items are sent by name', async () => {
  await using weir = startTopology()
  const service = { name: 'own', kind: 'host', color: 'white', reportedAt: '' } as const
  const [a, b] = ['weir:a', 'weir:b'].map((id) => ({ ...service, id }))
  const calls = [{ from: 'weir:a', to: 'weir:b', count: 1, errors: 0 }]
  weir.topology.overlay('weir', { services: [a, b].flatMap((each) => each ?? []), calls })
  using events = await weir.events('/api/topology/events')
  const { id, data } = await events.nextJson()
  expect([data.services.length, data.calls]).toEqual([2, calls])
  weir.topology.overlay('weir', { services: a ? [a] : [], calls: [] })
  const version = id + 1
  const gone = { version, removedServices: ['weir:b'], removedCalls: [['weir:a', 'weir:b']] }
  expect(await events.nextJson()).toEqual({ event: 'change', id: version, data: gone })
})

test('a report without changes isn’t sent', async () => {
  await using weir = startTopology()
  const report = { services: [{ id: 'A', url: 'http://a/' }], calls: [{ from: 'A', to: 'B' }] }
  weir.topology.report(report)
  const { version } = weir.topology.snapshot()
  weir.topology.report(report)
  weir.topology.report({ services: [{ id: 'A' }] })
  expect(weir.topology.snapshot().version).toBe(version)
  weir.topology.report({ services: [{ id: 'A', url: 'http://b/' }] })
  expect(weir.topology.snapshot().version).toBe(version + 1)
})

test('a subscriber that reconnects gets what it missed, and nothing twice', async () => {
  await using weir = startTopology()
  const before = await weir.events('/api/topology/events')
  await before.next()
  color(weir, 'red')
  const last = await before.nextJson()
  before.close()

  for (const name of ['lime', 'blue', 'teal']) color(weir, name)
  using after = await weir.events('/api/topology/events', String(last.id))
  color(weir, 'gold')
  const missed = []
  for (let at = 0; at < 4; at++) missed.push(await after.nextJson())
  expect(missed.map(({ event, id, data }) => [event, id - last.id, data.services[0].color])).toEqual([
    ['change', 1, 'lime'],
    ['change', 2, 'blue'],
    ['change', 3, 'teal'],
    ['change', 4, 'gold'],
  ])
})

test('a subscriber that missed nothing gets only new changes', async () => {
  await using weir = startTopology()
  const { version } = weir.topology.snapshot()
  using events = await weir.events('/api/topology/events', String(version))
  weir.topology.color('A', 'red')
  expect(await events.nextJson()).toMatchObject({ event: 'change', id: version + 1 })
})

test('a subscriber that missed more than is kept gets a gap and the whole graph', async () => {
  await using weir = startTopology()
  const version = color(weir, 'red')
  for (let change = 0; change <= KEPT; change++) color(weir, change % 2 ? 'red' : 'lime')

  using resumed = await weir.events('/api/topology/events', String(version + 1))
  expect((await resumed.nextJson()).id).toBe(version + 2)
  using late = await weir.events('/api/topology/events', String(version))
  expect(await late.nextJson()).toEqual({ event: 'gap', id: 0, data: { from: version, to: version + 2 } })
  expect(await late.nextJson()).toMatchObject({
    event: 'graph',
    id: version + KEPT + 1,
    data: { version: version + KEPT + 1, services: [{ id: 'A', color: 'lime' }] },
  })
})

test('fewer messages are kept if they are large', async () => {
  await using weir = startTopology()
  const publish = (name: string) => {
    const url = `http://h/${name}/${'x'.repeat(2_000)}`
    weir.topology.report({ services: Array.from({ length: 500 }, (_, at) => ({ id: `S${at}`, url })) })
    return weir.topology.snapshot().version
  }
  const version = publish('one')
  for (const name of ['two', 'three', 'four', 'five']) publish(name)
  using late = await weir.events('/api/topology/events', String(version))
  expect(await late.nextJson()).toMatchObject({ event: 'gap', data: { from: version, to: version + 2 } })
  using early = await weir.events('/api/topology/events', String(version + 1))
  expect(await early.nextJson()).toMatchObject({ event: 'change', id: version + 2 })
})

test.each([
  ['0', 0],
  ['17', 17],
  ['1795329312601000', 1795329312601000],
  ['8999999999999999', 8999999999999999],
  ['99999999999999999999', null],
  ['-1', null],
  ['abc', null],
])('the ID %p of another process gets a gap', async (lastEventId, from) => {
  await using weir = startTopology()
  const version = color(weir, 'red')
  using events = await weir.events('/api/topology/events', lastEventId)
  expect(await events.nextJson()).toEqual({ event: 'gap', id: 0, data: { from, to: version } })
  expect(await events.nextJson()).toMatchObject({ event: 'graph', id: version })
})

test('the ID before the first one belongs to another process too', async () => {
  await using weir = startTopology()
  const { version } = weir.topology.snapshot()
  using events = await weir.events('/api/topology/events', String(version - 1))
  expect(await events.nextJson()).toEqual({ event: 'gap', id: 0, data: { from: version - 1, to: version } })
})

test('a later process numbers above anything an earlier one can have used', () => {
  const before = new Topology({ hub: new Hub(), now: () => 1_000 })
  const after = new Topology({ hub: new Hub(), now: () => 1_001 })
  for (let change = 1; change < 1_000; change++) {
    before.color('A', change % 2 ? 'red' : 'lime')
    before.snapshot()
  }
  expect(before.snapshot().version).toBe(1_000_999)
  expect(after.snapshot().version).toBeGreaterThan(before.snapshot().version)
})

/** Has the change published at once. @returns the version with it */
function color(weir: Weir, name: string): number {
  weir.topology.color('A', name)
  return weir.topology.snapshot().version
}
