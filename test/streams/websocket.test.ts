import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { removeDataDir } from '../support/data-dir.ts'
import { type SocketUpstream, startSocketUpstream } from '../support/socket-upstream.ts'
import { until } from '../support/until.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'
import { importInto } from '../transfer/client.ts'

const MAX_BODY_BYTES = 100_000

let weir: TestWeir
const upstreams: SocketUpstream[] = []

beforeAll(async () => {
  weir = await startTestWeir({
    SILENCE_MS: '2000',
    MAX_BODY_BYTES: `${MAX_BODY_BYTES}`,
    REQUEST_TIMEOUT_MS: '5000',
  })
})

afterAll(async () => {
  await weir.close()
  for (const upstream of upstreams) await upstream.stop()
})

function started(...options: Parameters<typeof startSocketUpstream>): SocketUpstream {
  const upstream = startSocketUpstream(...options)
  upstreams.push(upstream)
  return upstream
}

/** A stream of a WebSocket, connected. */
async function followed(more: object = {}, ...options: Parameters<typeof startSocketUpstream>) {
  const upstream = started(...options)
  const { id, kind } = await weir.register({ url: `${upstream.url}/feed?q=1`, ...more })
  await until('the socket is open', () => upstream.sockets.size > 0)
  return { id, kind, upstream }
}

const logOf = async (id: string) =>
  (await weir.logs(id)).filter(({ kind }) => kind !== 'exchange' && kind !== 'end')
const errorOf = async (id: string) =>
  (await weir.entry(id, 'the error is logged', ({ kind }) => kind === 'error')).data as {
    code: string
    message: string
    body?: string
  }

test('messages are events, to the byte: text, compressed text, fragments of UTF-8 and binary', async () => {
  const { id, kind, upstream } = await followed()
  expect(kind).toBe('websocket')
  const long = 'zł€😀'.repeat(1_000)
  const binary = new Uint8Array([0, 1, 2, 254, 255])
  upstream.send('{"price": 1.50}')
  upstream.send('')
  upstream.send(long, true)
  upstream.send(binary)
  upstream.send(new Uint8Array(60_000))
  await weir.entry(id, 'the last message is logged', ({ data }) => String(data).includes('sha256'))
  const events = await logOf(id)
  expect(events.map(({ event, data, bodyBytes }) => [event, data, bodyBytes])).toEqual([
    [undefined, '{"price": 1.50}', 15],
    [undefined, '', 0],
    [undefined, long, Buffer.byteLength(long)],
    ['binary', Buffer.from(binary).toString('base64'), 5],
    [
      'binary',
      JSON.stringify({
        sha256: new Bun.CryptoHasher('sha256').update(new Uint8Array(60_000)).digest('hex'),
        bytes: 60_000,
      }),
      60_000,
    ],
  ])
  const wire = events.reduce((sum, { wireBytes }) => sum + wireBytes, 0)
  // Headers of frames, and whatever the compressed message takes.
  expect(wire).toBeGreaterThan(15 + 5 + 60_000)
  expect(wire).toBeLessThan(15 + 5 + 60_000 + 1_000)
})

test('the headers of the stream are sent, and its handshake is in the log', async () => {
  const { id, upstream } = await followed({ headers: { 'X-Api-Key': 'secret-value', Upgrade: 'h2c' } })
  const [request] = upstream.requests
  expect(request?.headers.get('x-api-key')).toBe('secret-value')
  expect(request?.headers.get('upgrade')).toBe('websocket')
  expect(new URL(request?.url ?? '').search).toBe('?q=1')
  const { request: sent, response } = await weir.entry(id, 'it is logged', ({ kind }) => kind === 'exchange')
  expect(response).toMatchObject({ status: 101, headers: { upgrade: 'websocket' } })
  expect(sent).toMatchObject({ method: 'GET', url: `${upstream.url}/feed?q=1` })
  expect(JSON.stringify(sent)).not.toContain('secret-value')
})

test('a document and the patches after it are followed as a document', async () => {
  const { id, upstream } = await followed()
  upstream.send('{"price":1,"name":"a"}')
  upstream.send('[{"op":"replace","path":"/price","value":2}]')
  await weir.entry(
    id,
    'the patched document is logged',
    ({ kind }) => kind === 'snapshot' || kind === 'patch',
  )
  expect(await weir.json(`/api/streams/${id}/document`)).toMatchObject({ price: 2, name: 'a' })
})

test('it says what its owner set, and resumes after the last ID; the texts are shown to nobody', async () => {
  const messages = {
    first: '{"op":"auth","token":"top-secret"}\n{"op":"subscribe"}',
    resume: '{"op":"resume","after":"{lastEventId}"}',
    idPointer: '/seq',
  }
  const { id, upstream } = await followed({ messages })
  await until('the first messages arrive', () => upstream.messages.length === 2)
  expect(upstream.messages).toEqual(messages.first.split('\n'))
  upstream.send('{"seq":"a\\"1","n":1}')
  await weir.entry(id, 'the event is logged', ({ eventId }) => eventId === 'a"1')
  upstream.close(1000)
  await until('it resumes', () => upstream.messages.length === 3)
  expect(upstream.messages[2]).toBe('{"op":"resume","after":"a\\"1"}')
  // Sent again: it is stored already, and proves that nothing is missing.
  upstream.send('{"seq":"a\\"1","n":1}')
  upstream.send('{"seq":"b","n":2}')
  await weir.entry(id, 'the next event is logged', ({ eventId }) => eventId === 'b')
  expect((await logOf(id)).map(({ kind, eventId }) => [kind, eventId])).toEqual([
    ['event', 'a"1'],
    ['event', 'b'],
  ])
  const shown = await (await weir.get(`/api/streams/${id}`)).text()
  expect(JSON.parse(shown).messages).toEqual({ first: '•••', resume: '•••', idPointer: '/seq' })
  for (const path of ['', '/logs', '/status', '/export']) {
    const url = path === '/export' ? '/api/streams/export' : `/api/streams/${id}${path}`
    expect(await (await weir.get(url)).text()).not.toContain('top-secret')
  }
})

test('a clean end is no failure; it connects again, with a gap', async () => {
  const { id, upstream } = await followed()
  upstream.send('before')
  await weir.entry(id, 'the event is logged', ({ data }) => data === 'before')
  upstream.close(1001, 'bye')
  await until('it connects again', () => upstream.requests.length === 2 && upstream.sockets.size > 0)
  upstream.send('after')
  await weir.entry(id, 'the event after the break is logged', ({ data }) => data === 'after')
  expect(
    (await logOf(id)).map(({ kind, data }) => (kind === 'gap' ? (data as { reason: string }).reason : data)),
  ).toEqual(['before', 'no_last_event_id', 'after'])
})

test.each([
  [1011, 'out of order', 'The upstream closed the WebSocket with 1011 (internal error): out of order.'],
  [1008, '', 'The upstream closed the WebSocket with 1008 (policy violation).'],
  [4003, 'no', 'The upstream closed the WebSocket with 4003 (a code for private use): no.'],
])('a close with %d is a failure, in words', async (code, reason, message) => {
  const { id, upstream } = await followed()
  upstream.send('event')
  await weir.entry(id, 'the event is logged', ({ data }) => data === 'event')
  upstream.close(code, reason)
  expect(await errorOf(id)).toMatchObject({ code: 'closed', message })
})

test('a header that the upstream repeats when it closes is hidden', async () => {
  const { id, upstream } = await followed({ headers: { Authorization: 'Bearer top-secret-key' } })
  upstream.close(1008, 'top-secret-key is wrong')
  expect((await errorOf(id)).message).toBe(
    'The upstream closed the WebSocket with 1008 (policy violation): ••• is wrong.',
  )
})

test('a clean end before any message says its code', async () => {
  const { url } = started({ onOpen: (socket) => socket.close(1000) })
  const { id } = await weir.register({ url })
  expect(await errorOf(id)).toMatchObject({
    code: 'ended_early',
    message: 'The upstream closed the WebSocket with 1000 (normal closure) before it sent an event.',
  })
}, 60_000)

test('pings keep a quiet socket open, and without them silence opens it again', async () => {
  const pinged = await followed({ messages: { pingMs: 1_000 } })
  const silent = await followed({ messages: { pingMs: 0 } })
  await until('the silent one connects again', () => silent.upstream.requests.length > 1)
  expect(pinged.upstream.requests.length).toBe(1)
  expect(pinged.upstream.pings()).toBeGreaterThan(0)
  expect(silent.upstream.pings()).toBe(0)
})

test('stopping it closes its socket', async () => {
  const { id, upstream } = await followed()
  await weir.send('POST', `/api/streams/${id}/stop`)
  await until('the socket is closed', () => upstream.sockets.size === 0)
})

test('a subprotocol is asked for', async () => {
  const { upstream } = await followed(
    { messages: { protocol: 'chat.v2' } },
    { headers: { 'Sec-WebSocket-Protocol': 'chat.v2' } },
  )
  expect(upstream.requests[0]?.headers.get('sec-websocket-protocol')).toBe('chat.v2')
})

test('messages that are too large cost themselves alone, whatever they are', async () => {
  const { id, upstream } = await followed()
  const sha256 = (data: string | Uint8Array) => new Bun.CryptoHasher('sha256').update(data).digest('hex')
  const text = 'zł€😀'.repeat(20_000)
  const binary = Buffer.alloc(150_000, 'binary')
  // Compressed, this one is larger than the limit, too.
  const random = Buffer.from(crypto.getRandomValues(new Uint8Array(60_000)))
    .toString('hex')
    .repeat(3)
  const bomb = 'x'.repeat(20_000_000)
  upstream.send('before')
  upstream.send(text)
  upstream.send(new Uint8Array(binary))
  upstream.send(text, true)
  upstream.send(random, true)
  upstream.send(bomb, true)
  upstream.send('after')
  await weir.entry(id, 'the event after them is logged', ({ data }) => data === 'after')
  const log = await logOf(id)
  expect(
    log.map(({ kind, event, data, hash }) => [
      kind,
      kind === 'event' ? data : (data as { code: string }).code,
      hash,
      event,
    ]),
  ).toEqual([
    ['event', 'before', sha256('before'), undefined],
    ['error', 'too_large', sha256(text), undefined],
    ['error', 'too_large', sha256(binary), 'binary'],
    ['error', 'too_large', sha256(text), undefined],
    ['error', 'too_large', sha256(random), undefined],
    ['error', 'too_large', undefined, undefined],
    ['event', 'after', sha256('after'), undefined],
  ])
  expect(
    log.slice(1, 5).map(({ data, bodyBytes }) => [(data as { bytes: number }).bytes, bodyBytes]),
  ).toEqual([text, binary, text, random].map((each) => [Buffer.byteLength(each), Buffer.byteLength(each)]))
  // Of a bomb, no more is decompressed than is kept of anything.
  expect(log[5]?.bodyBytes).toBeLessThan(1_000_000)
  expect(upstream.requests.length).toBe(1)
})

test('a message that is too large to be read ends its connection', async () => {
  const { id, upstream } = await followed()
  upstream.send('before')
  upstream.send(new Uint8Array(20_000_000))
  await until('it connects again', () => upstream.requests.length > 1 && upstream.sockets.size > 0)
  upstream.send('after')
  await weir.entry(id, 'the event after it is logged', ({ data }) => data === 'after')
  const [before, tooLarge, ended] = await logOf(id)
  expect([before?.data, tooLarge?.data, ended?.data]).toMatchObject([
    'before',
    {
      code: 'too_large',
      message: "An event of at least 100001 bytes was skipped: it's larger than 100000 bytes.",
    },
    { code: 'ended_early' },
  ])
  expect(tooLarge?.bodyBytes).toBeLessThan(1_000_000)
})

test('a preview shows the first messages', async () => {
  const upstream = started({ onMessage: (socket, message) => void socket.send(`heard ${message}`) })
  const looked = await weir.send('POST', '/api/streams/preview', {
    url: upstream.url,
    messages: { first: 'hello\nworld' },
  })
  expect(await looked.json()).toMatchObject({
    problem: null,
    answer: { kind: 'websocket', status: 101, events: [{ data: 'heard hello' }, { data: 'heard world' }] },
    suggestion: { kind: 'websocket' },
  })
  expect((await weir.send('POST', '/api/streams/preview', { url: 'ws://127.0.0.1:1/' })).status).toBe(200)
})

test('a Weir that starts again goes on, with no event twice and a gap', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'weir-websocket-'))
  const upstream = started()
  const first = await startTestWeir({ DATA_DIR: dataDir })
  const { id } = await first.register({ url: upstream.url })
  await until('the socket is open', () => upstream.sockets.size > 0)
  upstream.send('1')
  await first.entry(id, 'the event is logged', ({ data }) => data === '1')
  await first.close()
  await until('the socket is closed', () => upstream.sockets.size === 0)
  const second = await startTestWeir({ DATA_DIR: dataDir })
  try {
    await until('the socket is open again', () => upstream.sockets.size > 0)
    upstream.send('2')
    await second.entry(id, 'the next event is logged', ({ data }) => data === '2')
    const log = (await second.logs(id)).filter(({ kind }) => kind !== 'exchange' && kind !== 'end')
    expect(log.map(({ kind, data }) => (kind === 'event' ? data : kind))).toEqual(['1', 'gap', '2'])
  } finally {
    await second.close()
    await removeDataDir(dataDir)
  }
})

test.each([
  [{ url: 'ws://h/', kind: 'sse' }, 'url'],
  [{ url: 'http://h/', kind: 'websocket' }, 'url'],
  [{ url: 'ws://user:pass@h/' }, 'url'],
  [{ url: 'ws://h/', messages: { idPointer: 'seq' } }, 'messages.idPointer'],
  [{ url: 'ws://h/', messages: { pingMs: 5 } }, 'messages.pingMs'],
  [{ url: 'ws://h/', messages: { first: '•••' } }, 'messages.first'],
])('%j is refused', async (registration, field) => {
  const response = await weir.send('POST', '/api/streams', registration)
  expect([response.status, (await response.json()).field]).toEqual([422, field])
})

test('messages survive the form, an export and an import', async () => {
  const upstream = started()
  const messages = { first: 'subscribe', idPointer: '/id', pingMs: 5_000 }
  const { id } = await weir.register({ url: upstream.url, messages, start: false, tags: ['moved'] })
  const stored = async () => {
    const text = await (await weir.get('/api/streams/export?format=json&secrets=true&tag=moved')).text()
    return (JSON.parse(text) as { messages?: object }[])[0]?.messages
  }
  expect(await stored()).toEqual(messages)
  const form = {
    name: 'socket',
    url: upstream.url,
    kind: 'websocket',
    method: 'GET',
    body: '',
    tags: 'moved',
  }
  const edited = await fetch(`${weir.url}/streams/${id}/edit`, {
    method: 'POST',
    redirect: 'manual',
    headers: { Origin: weir.url, 'Content-Type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({
      ...form,
      ...{ 'messages.first': '', 'messages.resume': 'after {lastEventId}' },
      ...{ 'messages.idPointer': '/seq', 'messages.pingMs': '5', 'messages.protocol': '' },
    }),
  })
  expect(edited.status).toBe(303)
  const changed = { ...messages, idPointer: '/seq', resume: 'after {lastEventId}' }
  expect(await stored()).toEqual(changed)
  for (const format of ['json', 'ndjson', 'csv']) {
    const file = await (await weir.get(`/api/streams/export?format=${format}&tag=moved`)).text()
    expect(file).not.toContain('subscribe')
    expect((await importInto(weir, file)).totals).toMatchObject({ lines: 1, unchanged: 1 })
  }
  expect(await stored()).toEqual(changed)
})
