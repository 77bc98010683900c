import { afterAll, beforeAll, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { createServer, type Server, type Socket } from 'node:net'
import { deflateRawSync } from 'node:zlib'
import { until } from '../support/until.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

const MAX_BODY_BYTES = 100_000

let weir: TestWeir
let server: Server
let url: string
const sockets = new Set<Socket>()
/** What happens on a connection to each path, once its request has arrived. */
const behaviors = new Map<string, (socket: Socket, key: string) => void>()
const connections = new Map<string, number>()

beforeAll(async () => {
  server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}).on('close', () => sockets.delete(socket)))
    socket.once('data', (data) => {
      const head = data.toString('latin1')
      const path = head.split(' ')[1] ?? ''
      connections.set(path, (connections.get(path) ?? 0) + 1)
      behaviors.get(path)?.(socket, /sec-websocket-key: (\S+)/i.exec(head)?.[1] ?? '')
    })
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  url = `ws://127.0.0.1:${(server.address() as { port: number }).port}`
  weir = await startTestWeir({
    SILENCE_MS: '1000',
    MAX_BODY_BYTES: `${MAX_BODY_BYTES}`,
    REQUEST_TIMEOUT_MS: '1000',
  })
})

afterAll(async () => {
  await weir.close()
  for (const socket of sockets) socket.destroy()
  server.close()
})

function switching(key: string, more = ''): string {
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
  return `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n${more}\r\n`
}

/** A frame of a server; short payloads only. */
const frame = (first: number, payload: string | Buffer = '') =>
  Buffer.concat([Buffer.from([first, Buffer.byteLength(payload)]), Buffer.from(payload)])
const DEFLATE = 'Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n'

/** The first failure of a stream whose upstream behaves like this. */
async function failureOf(name: string, behavior: (socket: Socket, key: string) => void) {
  const path = `/${name.replace(/\W+/g, '-')}`
  behaviors.set(path, behavior)
  const { id } = await weir.register({ url: url + path })
  const { data } = await weir.entry(id, 'the error is logged', ({ kind }) => kind === 'error')
  const logged = await weir.logs(id)
  // It may have connected again by now.
  const before = logged.slice(
    0,
    logged.findIndex(({ kind }) => kind === 'error'),
  )
  const events = before.filter(({ kind }) => kind === 'event').map((entry) => entry.data)
  return { ...(data as { code: string; message: string; body?: string }), events, path, id }
}

test.each<[what: string, answer: (key: string) => string | Buffer, error: object]>([
  ['no HTTP', () => 'SSH-2.0-OpenSSH_9\r\n\r\n', { code: 'bad_handshake' }],
  ['wrong accept key', () => switching('wrong'), { code: 'bad_handshake', message: /accept key is wrong/ }],
  [
    '101 without upgrade',
    () => 'HTTP/1.1 101 Switching Protocols\r\n\r\n',
    { code: 'bad_handshake', message: /doesn't upgrade/ },
  ],
  [
    'a subprotocol that nobody asked for',
    (key) => switching(key, 'Sec-WebSocket-Protocol: mqtt\r\n'),
    { code: 'bad_handshake', message: /subprotocol/ },
  ],
  [
    'an extension that nobody asked for',
    (key) => switching(key, 'Sec-WebSocket-Extensions: permessage-bzip2\r\n'),
    { code: 'bad_handshake', message: /extension/ },
  ],
  ['an endless head', () => `HTTP/1.1 101 OK\r\nX: ${'x'.repeat(300_000)}`, { code: 'bad_handshake' }],
  [
    'a refusal with a body',
    () => 'HTTP/1.1 401 Unauthorized\r\nContent-Length: 11\r\n\r\nno such key',
    { code: 'bad_status', message: /401 Unauthorized/, body: 'no such key' },
  ],
  [
    'a refusal in chunks',
    () => 'HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nnot\r\n4\r\n now\r\n0\r\n\r\n',
    { code: 'bad_status', body: 'not now' },
  ],
  [
    'a page',
    () => 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi',
    { code: 'bad_status', message: /returned 200 OK, not 101/ },
  ],
  [
    'a redirect',
    () => 'HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:1/\r\n\r\n',
    { code: 'bad_redirect', message: /aren't followed/ },
  ],
  [
    'a reserved bit',
    (key) => Buffer.concat([Buffer.from(switching(key)), frame(0x91, 'x')]),
    { code: 'bad_frame' },
  ],
  [
    'an unknown type',
    (key) => Buffer.concat([Buffer.from(switching(key)), frame(0x83, 'x')]),
    { code: 'bad_frame' },
  ],
  [
    'a masked frame',
    (key) => Buffer.concat([Buffer.from(switching(key)), Buffer.from([0x81, 0x81, 1, 2, 3, 4, 5])]),
    { code: 'bad_frame', message: /masked/ },
  ],
  [
    'a fragment of nothing',
    (key) => Buffer.concat([Buffer.from(switching(key)), frame(0x80, 'x')]),
    { code: 'bad_frame', message: /out of order/ },
  ],
  [
    'a long ping',
    (key) =>
      Buffer.concat([Buffer.from(switching(key)), Buffer.from([0x89, 126, 0, 126]), Buffer.alloc(126)]),
    { code: 'bad_frame' },
  ],
  [
    'invalid UTF-8',
    (key) =>
      Buffer.concat([Buffer.from(switching(key)), frame(0x81, 'good'), frame(0x81, Buffer.from([0xff]))]),
    { code: 'bad_frame', message: /UTF-8/, events: ['good'] },
  ],
  [
    'a compressed message that nobody agreed to',
    (key) => Buffer.concat([Buffer.from(switching(key)), frame(0xc1, deflateRawSync('x'))]),
    { code: 'bad_frame' },
  ],
  [
    'a compressed message that is none',
    (key) => Buffer.concat([Buffer.from(switching(key, DEFLATE)), frame(0xc1, 'not deflated')]),
    { code: 'bad_frame', message: /decompressed/ },
  ],
  [
    'a length beyond all bounds',
    (key) => Buffer.concat([Buffer.from(switching(key)), Buffer.from([0x82, 127, 127, 0, 0, 0, 0, 0, 0, 0])]),
    { code: 'too_large' },
  ],
  [
    'fragments beyond the bound',
    (key) =>
      Buffer.concat([
        Buffer.from(switching(key)),
        frame(0x01, 'x'.repeat(100)),
        ...Array(1_000).fill(frame(0x00, 'x'.repeat(100))),
      ]),
    { code: 'too_large' },
  ],
  [
    'a close code that is none',
    (key) => Buffer.concat([Buffer.from(switching(key)), frame(0x88, Buffer.from([0, 5]))]),
    { code: 'bad_frame', message: /close code/ },
  ],
])('%s is an error', async (what, answer, { message, ...error }: { message?: RegExp }) => {
  const failure = await failureOf(what, (socket, key) => void socket.write(answer(key)))
  expect(failure).toMatchObject(error)
  if (message !== undefined) expect(failure.message).toMatch(message)
})

test.each<[what: string, answer: (key: string) => string]>([
  ['bare line feeds', (key) => switching(key).replaceAll('\r\n', '\n')],
  [
    'an informational head before it',
    (key) => `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${switching(key)}`,
  ],
  ['an empty line before it', (key) => `\r\n${switching(key)}`],
  ['headers that are none', (key) => switching(key, 'Server (old): a\r\nX-A : b\r\n folded\r\n')],
])('a handshake with %s is accepted', async (what, answer) => {
  const path = `/${what.replaceAll(' ', '-')}`
  behaviors.set(path, (socket, key) => {
    socket.write(Buffer.concat([Buffer.from(answer(key)), frame(0x81, 'good')]))
  })
  const { id } = await weir.register({ url: url + path })
  const [entry] = await until('something is logged', async () => {
    const logged = await weir.logs(id)
    return logged.length > 1 && logged.slice(1)
  })
  expect(entry).toMatchObject({ kind: 'event', data: 'good' })
})

test('fragments of a message that is too large are read to their end, with what comes between them', async () => {
  const path = '/fragments'
  const fragment = (first: number) => frame(first, 'x'.repeat(100))
  const pongs: Buffer[] = []
  behaviors.set(path, (socket, key) => {
    socket.on('data', (data) => void pongs.push(data as Buffer))
    const parts = [fragment(0x01), ...Array(1_200).fill(fragment(0x00)), frame(0x89, 'still there?')]
    socket.write(
      Buffer.concat([
        ...[Buffer.from(switching(key)), ...parts, fragment(0x00), frame(0x80), frame(0x81, 'after')],
      ]),
    )
  })
  const { id } = await weir.register({ url: url + path, messages: { pingMs: 0 } })
  await weir.entry(id, 'the event after it is logged', ({ data }) => data === 'after')
  const [tooLarge] = (await weir.logs(id)).filter(({ kind }) => kind === 'error')
  expect(tooLarge).toMatchObject({
    data: { code: 'too_large', bytes: 120_200 },
    hash: createHash('sha256').update('x'.repeat(120_200)).digest('hex'),
  })
  await until('the ping is answered', () => pongs.length > 0)
})

test('a close in the handshake is an error', async () => {
  expect(await failureOf('closes', (socket) => socket.end())).toMatchObject({ code: 'ended_early' })
  expect(await failureOf('half a head', (socket) => socket.end('HTTP/1.1 101'))).toMatchObject({
    code: 'ended_early',
  })
})

test('silence in the handshake is an error', async () => {
  expect(await failureOf('silent', () => {})).toMatchObject({ code: 'timeout' })
})

test('half a frame and silence: the connection is given up', async () => {
  const half = frame(0x81, 'half a frame').subarray(0, 5)
  const path = '/half'
  behaviors.set(path, (socket, key) => void socket.write(Buffer.concat([Buffer.from(switching(key)), half])))
  const { id } = await weir.register({ url: url + path, messages: { pingMs: 0 } })
  await until('it connects again', () => (connections.get(path) ?? 0) > 1)
  expect((await weir.logs(id)).filter(({ kind }) => kind === 'event')).toEqual([])
})

test('a flood ends with its stream', async () => {
  const block = Buffer.concat(Array(1_000).fill(frame(0x81, 'x'.repeat(100))))
  let flooding: Socket | undefined
  behaviors.set('/flood', (socket, key) => {
    flooding = socket
    socket.write(switching(key))
    const send = () => {
      while (!socket.destroyed && socket.write(block));
      if (!socket.destroyed) socket.once('drain', send)
    }
    send()
  })
  const { id } = await weir.register({ url: `${url}/flood` })
  await weir.entry(id, 'events are logged', ({ kind }) => kind === 'event')
  await weir.send('POST', `/api/streams/${id}/stop`)
  await until('the connection is closed', () => flooding?.destroyed)
  expect((await weir.json<{ status: string }>(`/api/streams/${id}/status`)).status).toBe('stopped')
}, 60_000)
