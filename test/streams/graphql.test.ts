import { afterAll, beforeAll, expect, test } from 'bun:test'
import type { ServerWebSocket } from 'bun'
import { type SocketUpstream, startSocketUpstream } from '../support/socket-upstream.ts'
import { until } from '../support/until.ts'
import { Feed, startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

const MAX_BODY_BYTES = 100_000
const PROTOCOL = { 'Sec-WebSocket-Protocol': 'graphql-transport-ws' }
const QUERY = { query: 'subscription { price }', variables: { of: 'a' } }
const body = JSON.stringify(QUERY)

type Said = { type: string; id?: string; payload?: unknown }

let weir: TestWeir
let upstream: Upstream
const sockets: SocketUpstream[] = []

beforeAll(async () => {
  upstream = startUpstream()
  weir = await startTestWeir({
    REQUEST_TIMEOUT_MS: '2000',
    SILENCE_MS: '30000',
    MAX_BODY_BYTES: `${MAX_BODY_BYTES}`,
  })
})

afterAll(async () => {
  await weir.close()
  await upstream.stop()
  for (const each of sockets) await each.stop()
})

const say = (socket: ServerWebSocket<unknown>, said: object) => void socket.send(JSON.stringify(said))

/** A server that acknowledges connections, and answers subscriptions. */
function started(
  subscribed: (socket: ServerWebSocket<unknown>, said: Said) => void,
  acknowledges = true,
): SocketUpstream {
  const each = startSocketUpstream({
    headers: PROTOCOL,
    onMessage(socket, message) {
      const said = JSON.parse(String(message)) as Said
      if (said.type === 'connection_init' && acknowledges) say(socket, { type: 'connection_ack' })
      if (said.type === 'subscribe') subscribed(socket, said)
    },
  })
  sockets.push(each)
  return each
}

const saidTo = ({ messages }: SocketUpstream) => messages.map((each) => JSON.parse(String(each)) as Said)
const logOf = async (id: string) =>
  (await weir.logs(id)).filter(({ kind }) => kind !== 'exchange' && kind !== 'end')
const register = (url: string, more: object = {}) => weir.register({ url, kind: 'graphql', body, ...more })

test('a subscription over a WebSocket: results and their errors are events', async () => {
  const server = started((socket) => {
    socket.send('{"id":"1","type":"next","payload":{"data":{"price":12345678901234567890}}}')
    say(socket, { id: '1', type: 'next', payload: { data: null, errors: [{ message: 'no price' }] } })
  })
  const { id } = await register(server.url, { messages: { init: '{"token":"top-secret"}' } })
  await weir.entry(id, 'the errors are logged', ({ event }) => event === 'errors')
  expect(saidTo(server)).toEqual([
    { type: 'connection_init', payload: { token: 'top-secret' } },
    { type: 'subscribe', id: '1', payload: QUERY },
  ])
  expect((await logOf(id)).map(({ event, data }) => [event, data])).toEqual([
    [undefined, '{"data":{"price":12345678901234567890}}'],
    ['errors', '{"data":null,"errors":[{"message":"no price"}]}'],
  ])
  expect(await (await weir.get(`/api/streams/${id}`)).text()).not.toContain('top-secret')
})

test('pings are answered, and complete is a clean end', async () => {
  const server = started((socket) => {
    say(socket, { type: 'ping' })
    say(socket, { id: '1', type: 'next', payload: { data: 1 } })
    say(socket, { id: '1', type: 'complete' })
  })
  const { id } = await register(server.url)
  await until('it subscribes again', () => server.requests.length > 1)
  expect(saidTo(server).filter(({ type }) => type === 'pong').length).toBeGreaterThan(0)
  expect((await logOf(id)).filter(({ kind }) => kind === 'error')).toEqual([])
})

test('a subscription that is refused is a failure, with its errors as an event', async () => {
  const server = started((socket) =>
    say(socket, { id: '1', type: 'error', payload: [{ message: 'no such field' }] }),
  )
  const { id } = await register(server.url)
  const { data } = await weir.entry(id, 'the error is logged', ({ kind }) => kind === 'error')
  expect(data).toMatchObject({
    code: 'closed',
    message: 'The upstream refused the subscription: no such field.',
  })
  expect((await logOf(id))[0]).toMatchObject({ event: 'errors', data: '[{"message":"no such field"}]' })
})

test('a connection that isn’t acknowledged in time is a failure', async () => {
  const server = started(() => {}, false)
  const { id } = await register(server.url)
  const { data } = await weir.entry(id, 'the error is logged', ({ kind }) => kind === 'error')
  expect(data).toMatchObject({
    code: 'timeout',
    message: expect.stringContaining('acknowledge') as unknown as string,
  })
})

test('what is no message of the protocol is a failure; its close codes have words', async () => {
  const talkative = started((socket) => void socket.send('hello'))
  const { id } = await register(talkative.url)
  expect((await weir.entry(id, 'the error is logged', ({ kind }) => kind === 'error')).data).toMatchObject({
    code: 'bad_json',
  })
  const closing = started((socket) => socket.close(4401, 'Unauthorized'))
  const closed = await register(closing.url)
  expect(
    (await weir.entry(closed.id, 'the error is logged', ({ kind }) => kind === 'error')).data,
  ).toMatchObject({
    code: 'closed',
    message: 'The upstream closed the WebSocket with 4401 (unauthorized): Unauthorized.',
  })
})

test('it resumes with a subscription of its own', async () => {
  const resume = '{"query":"subscription($after: String) { price }","variables":{"after":"{lastEventId}"}}'
  const server = started((socket, { payload }) => {
    const after = (payload as { variables: { after?: string } }).variables.after
    say(socket, { id: '1', type: 'next', payload: { data: { seq: Number(after ?? 6) + 1 } } })
    say(socket, { id: '1', type: 'complete' })
  })
  const { id } = await register(server.url, { messages: { resume, idPointer: '/data/seq' } })
  await weir.entry(id, 'the resumed event is logged', ({ eventId }) => eventId === '8')
  expect(saidTo(server).filter(({ type }) => type === 'subscribe')[1]).toMatchObject({
    payload: { variables: { after: '7' } },
  })
})

test('a subscription over server-sent events, which ends when it is complete', async () => {
  const feed = new Feed()
  const requests: unknown[] = []
  const url = upstream.on('/graphql', async (request) => {
    requests.push([request.method, request.headers.get('content-type'), await request.json()])
    return feed.response({}, ':\n\n')
  })
  const { id } = await register(url)
  await until('the feed has a reader', () => feed.readers > 0)
  expect(requests).toEqual([['POST', 'application/json', QUERY]])
  feed.send('event: next\ndata: {"data":{"price":1}}\n\n')
  feed.send('event: next\ndata: {"errors":[{"message":"no price"}]}\n\n')
  await weir.entry(id, 'the errors are logged', ({ event }) => event === 'errors')
  feed.send('event: complete\ndata:\n\n')
  await until('it subscribes again', () => requests.length > 1)
  expect(
    (await logOf(id)).filter(({ kind }) => kind !== 'gap').map(({ event, data }) => [event, data]),
  ).toEqual([
    [undefined, '{"data":{"price":1}}'],
    ['errors', '{"errors":[{"message":"no price"}]}'],
  ])
})

test('a result that is too large costs itself alone, over either transport', async () => {
  const large = { data: 'x'.repeat(MAX_BODY_BYTES) }
  const server = started((socket) => {
    say(socket, { id: '1', type: 'next', payload: large })
    say(socket, { id: '1', type: 'next', payload: { data: 1 } })
  })
  const socket = await register(server.url)
  const feed = new Feed()
  const headers: (string | null)[] = []
  const url = upstream.on('/large-results', (request) => {
    headers.push(request.headers.get('last-event-id'))
    return feed.response({}, ':\n\n')
  })
  const sse = await register(url)
  await until('the feed has a reader', () => feed.readers > 0)
  feed.send(`event: next\nid: 7\ndata: ${JSON.stringify(large)}\n\n`)
  feed.send('event: next\ndata: {"data":1}\n\n')
  for (const { id } of [socket, sse]) {
    await weir.entry(id, 'the next result is logged', ({ data }) => data === '{"data":1}')
    const log = await logOf(id)
    expect(
      log.map(({ kind, event, eventId, data }) => [kind, event, eventId, (data as { code?: string }).code]),
    ).toEqual([
      ['error', undefined, undefined, 'too_large'],
      ['event', undefined, undefined, undefined],
    ])
  }
  expect(server.requests.length).toBe(1)
})

test('a preview shows the first results', async () => {
  const server = started((socket) => say(socket, { id: '1', type: 'next', payload: { data: 1 } }))
  const looked = await weir.send('POST', '/api/streams/preview', { url: server.url, kind: 'graphql', body })
  expect(await looked.json()).toMatchObject({
    problem: null,
    answer: { kind: 'graphql', events: [{ data: '{"data":1}' }] },
    suggestion: { kind: 'graphql' },
  })
})

test.each([
  [{ url: 'ws://h/', kind: 'graphql' }],
  [{ url: 'http://h/', kind: 'graphql', body: 'subscription { price }' }],
  [{ url: 'http://h/', kind: 'graphql', body: '{"variables":{}}' }],
])('a subscription needs a query: %j', async (registration) => {
  const response = await weir.send('POST', '/api/streams', registration)
  expect([response.status, (await response.json()).field]).toEqual([422, 'body'])
})
