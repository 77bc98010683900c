import { expect, test } from 'bun:test'
import { id, startReceiver, type TestSpan } from './receiver.ts'

/** A call of a service named `cart`, and the edge with its node's kind that is drawn of it. */
async function drawn(kind: TestSpan['kind'], attributes: Record<string, unknown>, isError = false) {
  await using receiver = startReceiver()
  await receiver.send({ service: 'cart', kind, spanId: id(1), attributes, isError })
  await receiver.settle()
  const { services, calls } = receiver.topology.graph()
  const other = services.find((service) => service.id !== 'cart')
  return [calls.map(({ from, to }) => `${from} -> ${to}`).join(), other?.kind, calls[0]?.lastStatus]
}

test.each([
  [
    'a database, new',
    {
      'db.system.name': 'postgresql',
      'db.namespace': 'orders',
      'server.address': 'pg1',
      'server.port': 5432,
    },
    'cart -> postgresql pg1:5432/orders',
    'database',
  ],
  [
    'a database, old',
    { 'db.system': 'mysql', 'db.name': 'orders', 'net.peer.name': 'my1', 'net.peer.port': 3306 },
    'cart -> mysql my1:3306/orders',
    'database',
  ],
  ['a database without a word of where', { 'db.system': 'sqlite' }, 'cart -> sqlite', 'database'],
  ['a named peer, old', { 'peer.service': 'stock', 'net.peer.name': '10.0.0.7' }, 'cart -> stock', 'service'],
  [
    'a named peer, new',
    { 'service.peer.name': 'stock', 'server.address': '10.0.0.7' },
    'cart -> stock',
    'service',
  ],
  ['an address without a port', { 'server.address': 'stock' }, 'cart -> stock', 'service'],
  ['an IPv6 address', { 'server.address': '::1', 'server.port': 80 }, 'cart -> [::1]:80', 'service'],
  [
    'a URL, new',
    { 'url.full': 'https://api.example.com:8443/a?b' },
    'cart -> api.example.com:8443',
    'service',
  ],
  ['a URL, old', { 'http.url': 'http://api.example.com/a' }, 'cart -> api.example.com', 'service'],
  [
    'a socket',
    { 'network.peer.address': '10.0.0.7', 'network.peer.port': 81 },
    'cart -> 10.0.0.7:81',
    'service',
  ],
  ['no word at all', {}, '', undefined],
])('a call to %s', async (_, attributes, edge, kind) => {
  expect((await drawn('client', attributes)).slice(0, 2)).toEqual([edge, kind])
})

const KAFKA = { 'messaging.system': 'kafka', 'messaging.destination.name': 'orders' }
test.each([
  ['producer', KAFKA, 'cart -> kafka orders', 200],
  ['consumer', KAFKA, 'kafka orders -> cart', 200],
  ['client', { ...KAFKA, 'messaging.operation.type': 'send' }, 'cart -> kafka orders', 200],
  ['client', { ...KAFKA, 'messaging.operation.type': 'receive' }, 'kafka orders -> cart', undefined],
  ['client', { ...KAFKA, 'messaging.operation.type': 'settle' }, '', undefined],
  [
    'producer',
    { 'messaging.system': 'rabbitmq', 'messaging.destination': 'old' },
    'cart -> rabbitmq old',
    200,
  ],
  ['producer', { ...KAFKA, 'messaging.destination.temporary': true }, 'cart -> kafka', 200],
  [
    'producer',
    { ...KAFKA, 'messaging.destination.template': 'orders/{id}' },
    'cart -> kafka orders/{id}',
    200,
  ],
  ['producer', {}, '', undefined],
] as const)('a %s of a queue: %o', async (kind, attributes, edge, status) => {
  expect(await drawn(kind, attributes)).toEqual([edge, edge === '' ? undefined : 'queue', status])
})

test.each([
  [{ 'http.response.status_code': 404 }, false, 404],
  [{ 'http.status_code': 502 }, true, 502],
  [{ 'http.response.status_code': 999 }, true, 500],
  [{ 'rpc.grpc.status_code': 0 }, false, 200],
  [{ 'rpc.grpc.status_code': 14 }, false, 503],
  [{ 'rpc.grpc.status_code': 99 }, false, 500],
  [{ 'error.type': '503' }, true, 503],
  [{ 'error.type': 'ECONNREFUSED' }, false, 500],
  [{}, true, 500],
  [{}, false, 200],
])('%o with an error %p has the status %p', async (attributes, isError, status) => {
  const call = await drawn('client', { 'server.address': 'stock', ...attributes }, isError)
  expect(call[2]).toBe(status)
})
