import { expect, test } from 'bun:test'
import { Hub } from '../../src/hub/hub.ts'
import { Topology } from '../../src/topology/topology.ts'
import { startTopology } from './server.ts'

/** Messages that the feed keeps. */
const KEPT = 500

test('a subscriber gets the whole graph and then every change, numbered without holes', async () => {
  await using weir = startTopology()
  weir.topology.report({ services: [{ id: 'A' }] })
  using events = await weir.events('/api/topology/events')
  const first = await events.nextJson()
  expect(first).toMatchObject({
    event: 'graph',
    data: { version: first.id, services: [{ id: 'A' }], calls: [] },
  })

  weir.topology.colour('A', 'Red')
  weir.topology.report({ calls: [{ from: 'A', to: 'B', status: 500, durationMs: 7 }] })
  expect(await events.nextJson()).toEqual({
    event: 'service',
    id: first.id + 1,
    data: { id: 'A', colour: 'red', reportedAt: expect.any(String) },
  })
  expect(await events.nextJson()).toMatchObject({
    event: 'graph',
    id: first.id + 2,
    data: {
      version: first.id + 2,
      services: [{ id: 'A' }, { id: 'B' }],
      calls: [{ from: 'A', to: 'B', count: 0 }],
    },
  })
  expect(await events.nextJson()).toMatchObject({
    event: 'call',
    id: first.id + 3,
    data: { from: 'A', to: 'B', count: 1, errors: 1, lastStatus: 500, lastDurationMs: 7 },
  })
})

test('what changes nothing is not told', async () => {
  await using weir = startTopology()
  const report = { services: [{ id: 'A', url: 'http://a/' }], calls: [{ from: 'A', to: 'B' }] }
  weir.topology.report(report)
  using events = await weir.events('/api/topology/events')
  await events.nextJson()
  weir.topology.report(report)
  weir.topology.report({ services: [{ id: 'A' }] })
  weir.topology.report({ services: [{ id: 'A', url: 'http://b/' }] })
  weir.topology.report({ services: [{ id: 'A', name: 'Aa' }] })
  expect(await events.nextJson()).toMatchObject({
    event: 'graph',
    data: { services: [{ url: 'http://b/' }, {}] },
  })
  expect(await events.nextJson()).toMatchObject({ event: 'graph', data: { services: [{ name: 'Aa' }, {}] } })
})

test('a subscriber that comes back gets what it missed and nothing twice', async () => {
  await using weir = startTopology()
  const before = await weir.events('/api/topology/events')
  weir.topology.colour('A', 'red')
  await before.next()
  const last = await before.nextJson()
  before.close()

  for (const colour of ['lime', 'blue', 'teal']) weir.topology.colour('A', colour)
  using after = await weir.events('/api/topology/events', String(last.id))
  weir.topology.colour('A', 'gold')
  const missed = [
    await after.nextJson(),
    await after.nextJson(),
    await after.nextJson(),
    await after.nextJson(),
  ]
  expect(missed.map(({ id, data }) => [id - last.id, data.colour])).toEqual([
    [1, 'lime'],
    [2, 'blue'],
    [3, 'teal'],
    [4, 'gold'],
  ])
})

test('a subscriber that missed nothing gets only what is new', async () => {
  await using weir = startTopology()
  const version = weir.topology.snapshot().version
  using events = await weir.events('/api/topology/events', String(version))
  weir.topology.colour('A', 'red')
  expect(await events.nextJson()).toMatchObject({ event: 'graph', id: version + 1 })
})

test('a subscriber that missed more than is kept is told of the gap and gets the whole graph', async () => {
  await using weir = startTopology()
  weir.topology.colour('A', 'red')
  const { version } = weir.topology.snapshot()
  for (let change = 0; change <= KEPT; change++) weir.topology.colour('A', change % 2 ? 'red' : 'lime')

  using resumed = await weir.events('/api/topology/events', String(version + 1))
  expect((await resumed.nextJson()).id).toBe(version + 2)
  using late = await weir.events('/api/topology/events', String(version))
  expect(await late.nextJson()).toEqual({ event: 'gap', id: 0, data: { from: version, to: version + 2 } })
  expect(await late.nextJson()).toMatchObject({
    event: 'graph',
    id: version + KEPT + 1,
    data: { version: version + KEPT + 1, services: [{ id: 'A', colour: 'lime' }] },
  })
})

test('few messages are kept when they are large', async () => {
  await using weir = startTopology()
  const url = `http://h/${'x'.repeat(2_000)}`
  weir.topology.report({ services: Array.from({ length: 500 }, (_, at) => ({ id: `S${at}`, url })) })
  const { version } = weir.topology.snapshot()
  for (const name of ['one', 'two', 'three', 'four']) weir.topology.report({ services: [{ id: 'S0', name }] })
  using late = await weir.events('/api/topology/events', String(version))
  expect(await late.nextJson()).toMatchObject({ event: 'gap', data: { from: version, to: version + 2 } })
  using early = await weir.events('/api/topology/events', String(version + 1))
  expect(await early.nextJson()).toMatchObject({ event: 'graph', id: version + 2 })
})

test.each([
  ['0', 0],
  ['17', 17],
  ['1795329312601000', 1795329312601000],
  ['8999999999999999', 8999999999999999],
  ['99999999999999999999', null],
  ['-1', null],
  ['abc', null],
])('the id %p of another life is a gap', async (lastEventId, from) => {
  await using weir = startTopology()
  weir.topology.colour('A', 'red')
  using events = await weir.events('/api/topology/events', lastEventId)
  const { version } = weir.topology.snapshot()
  expect(await events.nextJson()).toEqual({ event: 'gap', id: 0, data: { from, to: version } })
  expect(await events.nextJson()).toMatchObject({ event: 'graph', id: version })
})

test('the id before the first of this life is of another life too', async () => {
  await using weir = startTopology()
  const { version } = weir.topology.snapshot()
  using events = await weir.events('/api/topology/events', String(version - 1))
  expect(await events.nextJson()).toEqual({ event: 'gap', id: 0, data: { from: version - 1, to: version } })
})

test('a later life numbers from above what an earlier one can have given out', () => {
  const before = new Topology({ hub: new Hub(), now: () => 1_000 })
  const after = new Topology({ hub: new Hub(), now: () => 1_001 })
  for (let change = 1; change < 1_000; change++) before.colour('A', 'red')
  expect(after.snapshot().version).toBeGreaterThan(before.snapshot().version)
})
