import { expect, test } from 'bun:test'
import { MAX_WAITING } from '../../src/otlp/calls.ts'
import { id, startReceiver, type TestSpan } from './receiver.ts'

const CLIENT: TestSpan = {
  service: 'cart',
  kind: 'client',
  spanId: id(1),
  durationMs: 42.5,
  attributes: { 'server.address': 'stock.local', 'server.port': 8080, 'http.response.status_code': 200 },
}
const SERVER: TestSpan = { service: 'stock', kind: 'server', spanId: id(2), parent: id(1), durationMs: 30 }

test.each([
  ['in one request', [[CLIENT, SERVER]]],
  ['in two, the caller first', [[CLIENT], [SERVER]]],
  ['in two, the callee first', [[SERVER], [CLIENT]]],
  ['in three, one of them sent twice', [[SERVER], [CLIENT], [CLIENT]]],
  [
    'in one that is sent again as a whole',
    [
      [CLIENT, SERVER],
      [CLIENT, SERVER],
    ],
  ],
])('a client and its server are one call: %s', async (_, requests) => {
  await using receiver = startReceiver()
  for (const spans of requests) await receiver.send(...spans)
  await receiver.settle()
  expect(receiver.edges()).toEqual(['cart -> stock: 1/0'])
  const [call] = receiver.topology.graph().calls
  expect([call?.lastStatus, call?.lastDurationMs]).toEqual([200, 42.5])
  expect(receiver.nodes().sort()).toEqual(['cart', 'stock'])
})

test('a server span alone creates its service, with its namespace as the group', async () => {
  await using receiver = startReceiver()
  await receiver.send({ ...SERVER, resource: { 'service.namespace': 'warehouse' } })
  expect(receiver.topology.graph()).toMatchObject({
    services: [{ id: 'stock', kind: 'service', group: 'warehouse' }],
    calls: [],
  })
})

test('a call without a server span waits, and then goes to the address', async () => {
  await using receiver = startReceiver()
  await receiver.send(CLIENT)
  expect(receiver.edges()).toEqual([])
  await receiver.settle()
  expect(receiver.edges()).toEqual(['cart -> stock.local:8080: 1/0'])
  await receiver.send(SERVER)
  await receiver.settle()
  expect(receiver.edges()).toEqual(['cart -> stock.local:8080: 1/0'])
})

test('a known address stands for its service', async () => {
  await using receiver = startReceiver()
  await receiver.send(CLIENT, SERVER)
  await receiver.send({ ...CLIENT, spanId: id(3), service: 'web' })
  await receiver.settle()
  expect(receiver.edges()).toEqual(['cart -> stock: 1/0', 'web -> stock: 1/0'])
})

test('an address of several services stands for none of them', async () => {
  await using receiver = startReceiver()
  await receiver.send(CLIENT, SERVER)
  await receiver.send(
    { ...CLIENT, spanId: id(3) },
    { ...SERVER, service: 'prices', spanId: id(4), parent: id(3) },
  )
  await receiver.send({ ...CLIENT, spanId: id(5) })
  await receiver.settle()
  expect(receiver.edges()).toEqual([
    'cart -> prices: 1/0',
    'cart -> stock.local:8080: 1/0',
    'cart -> stock: 1/0',
  ])
})

test('two traces with equal span IDs stay separate', async () => {
  await using receiver = startReceiver()
  await receiver.send(CLIENT, { ...SERVER, traceId: 'b2'.repeat(16) })
  await receiver.settle()
  expect(receiver.edges()).toEqual(['cart -> stock.local:8080: 1/0'])
})

test.each([
  ['an hour ahead of its server', { start: 1_790_003_600 }, 42.5],
  ['in 1970', { start: 0 }, undefined],
  ['in 2300', { start: 10_413_792_000 }, 42.5],
  ['that ends before it starts', { durationMs: -5 }, undefined],
  ['that takes a year', { durationMs: 31_536_000_000 }, undefined],
])('a client %s is counted now, with a duration only if it makes sense', async (_, change, durationMs) => {
  await using receiver = startReceiver()
  const before = Date.now()
  await receiver.send({ ...CLIENT, ...change }, SERVER)
  const [call] = receiver.topology.graph().calls
  expect([call?.count, call?.lastDurationMs]).toEqual([1, durationMs])
  const at = Date.parse(call?.calledAt ?? '')
  expect(at >= before && at <= Date.now()).toBe(true)
})

test('beyond the limit, the oldest waiting call is settled early', async () => {
  await using receiver = startReceiver()
  const waiting = Array.from({ length: MAX_WAITING }, (_, at) => ({ ...CLIENT, spanId: id(at + 10) }))
  await receiver.send(CLIENT)
  for (let at = 0; at < waiting.length; at += 5000) await receiver.send(...waiting.slice(at, at + 5000))
  expect(receiver.edges()).toEqual(['cart -> stock.local:8080: 1/0'])
  await receiver.send({ ...SERVER, parent: id(10) })
  expect(receiver.edges()).toEqual(['cart -> stock.local:8080: 1/0', 'cart -> stock: 1/0'])
})
