import { afterAll, beforeAll, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { until } from '../support/until.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

/** Sends one more piece this often, in milliseconds: far more often than a connection may be idle. */
const DRIP_MS = 200
const IDLE_SECONDS = 2
const HOST = 'Host: 127.0.0.1'
/** Larger than what the kernel buffers of a connection. */
const LARGE_BYTES = 6_000_000

let weir: TestWeir
let upstream: Upstream
const sockets: Socket[] = []

beforeAll(async () => {
  upstream = startUpstream()
  weir = await startTestWeir({ MAX_BODY_BYTES: String(2 * LARGE_BYTES) }, { idleSeconds: IDLE_SECONDS })
})
afterAll(async () => {
  for (const socket of sockets) socket.destroy()
  await weir?.close()
  await upstream?.stop()
})

interface Raw {
  socket: Socket
  text(): string
  isClosed(): boolean
}

/** A connection that sends something, and then something again and again. */
function open(first: string, drip?: string): Raw {
  let text = ''
  let closed = false
  const socket = connect(Number(new URL(weir.url).port), '127.0.0.1', () => {
    socket.write(first)
    if (drip === undefined) return
    const timer = setInterval(() => socket.write(drip), DRIP_MS)
    socket.on('close', () => clearInterval(timer))
  })
  sockets.push(socket)
  socket.on('data', (bytes) => {
    text += bytes.toString('latin1')
  })
  socket.on('error', () => {})
  socket.on('close', () => {
    closed = true
  })
  return { socket, text: () => text, isClosed: () => closed }
}

function post(path: string, more: string): string {
  return `POST ${path} HTTP/1.1\r\n${HOST}\r\n${more}\r\n\r\n`
}

const SLOW: Record<string, [first: string, drip?: string]> = {
  'that says nothing': [''],
  'whose head comes in drips': [`GET / HTTP/1.1\r\n${HOST}\r\n`, 'X'],
  'whose headers come in drips': [`GET / HTTP/1.1\r\n${HOST}\r\n`, 'X-A: b\r\n'],
  'whose body never comes': [post('/api/streams', 'Content-Length: 1000')],
  'whose body comes in drips': [post('/api/streams', 'Content-Length: 1000'), 'x'],
  'whose chunks come in drips': [post('/api/streams', 'Transfer-Encoding: chunked'), '1\r\nx\r\n'],
}

test('slow clients are closed, and cause no errors in Weir', async () => {
  const opened = Object.entries(SLOW).map(([name, sent]) => ({ name, ...open(...sent) }))
  await Promise.all(opened.map(({ name, isClosed }) => until(`the one ${name} is closed`, isClosed)))
  expect(weir.warnings).toEqual([])
  expect((await weir.get('/healthz')).status).toBe(200)
})

test('a reader that never reads is closed, and its request ends', async () => {
  const large = JSON.stringify({ text: 'x'.repeat(LARGE_BYTES) })
  const { id } = await weir.register({
    url: upstream.on(
      '/large',
      () => new Response(large, { headers: { 'Content-Type': 'application/json' } }),
    ),
    kind: 'poll',
    intervalMs: 60_000,
  })
  await weir.entry(id, 'it has the document', ({ kind }) => kind === 'snapshot')
  const { socket } = open(`GET /api/streams/${id}/document HTTP/1.1\r\n${HOST}\r\n\r\n`)
  socket.pause()
  await until('it is connected', () => isHeld(weir, socket))
  await until('it is closed', () => !isHeld(weir, socket))
})

test('heads and bodies have a size limit', async () => {
  const cases: [string, string, number][] = [
    ['a header', `GET / HTTP/1.1\r\n${HOST}\r\nX: ${'y'.repeat(20_000)}\r\n\r\n`, 431],
    ['all headers', `GET / HTTP/1.1\r\n${HOST}\r\n${'X-A: y\r\n'.repeat(5_000)}\r\n`, 431],
    ['a URL', `GET /${'y'.repeat(20_000)} HTTP/1.1\r\n${HOST}\r\n\r\n`, 431],
    ['a body', post('/api/streams', 'Content-Length: 1048577'), 413],
    ['any body', post('/api/streams/import', 'Content-Length: 99999999999'), 413],
    ['a body in chunks', post('/api/streams', 'Transfer-Encoding: chunked') + chunk(1_048_577), 413],
  ]
  for (const [name, sent, status] of cases) {
    const { text } = open(sent)
    await until(`${name} is refused`, () => text().includes('\r\n\r\n'))
    expect(`${name}: ${text().slice(0, 12)}`).toBe(`${name}: HTTP/1.1 ${status}`)
  }
})

test.each([
  'GET /api/status HTTP/1.0\r\n\r\n',
  'GET /api/status HTTP/1.1\r\nHost: a b\r\n\r\n',
  'GET /api/status HTTP/1.1\r\nHost: [::\r\n\r\n',
])('%p, which is no valid host, is rejected as that', async (sent) => {
  const { text } = open(sent)
  await until('it is answered', () => text().includes('\r\n\r\n'))
  expect(text()).toStartWith('HTTP/1.1 400')
  expect(text()).not.toContain('<html')
})

test('text that can’t be stored is rejected in a query', async () => {
  const response = await weir.send('POST', '/api/streams/start?tag=%00')
  expect(response.status).toBe(422)
})

test('HEAD of a stream returns headers without subscribing', async () => {
  for (const path of ['/events', '/api/topology/events', '/api/streams/export']) {
    const response = await fetch(weir.url + path, { method: 'HEAD' })
    expect(response.status).toBe(200)
    expect(await response.text()).toBe('')
  }
  const metrics = await (await weir.get('/metrics')).text()
  expect(metrics).toContain('\nweir_fanout_subscribers 0\n')
})

test('every route that accepts a body has its own limit', async () => {
  const document = await weir.json<{
    paths: Record<string, Record<string, { requestBody?: object }>>
  }>('/openapi/json')
  const refused: string[] = []
  const body = new Uint8Array(LARGE_BYTES)
  // Not the other one, which closes a connection while its client is busy.
  const patient = await startTestWeir()
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, { requestBody }] of Object.entries(methods)) {
      if (requestBody === undefined || path === '/api/streams/import') continue
      const at = path.replaceAll(/\{\w+\}/g, '0190b0c0-0000-7000-8000-000000000000')
      const response = await fetch(patient.url + at, {
        method: method.toUpperCase(),
        body,
        headers: { 'Content-Type': 'application/json' },
      })
      await response.text()
      refused.push(`${method} ${path} ${response.status}`)
    }
  }
  await patient.close()
  expect(refused.length).toBeGreaterThan(8)
  expect(refused.filter((each) => !/ (413|404|415)$/.test(each))).toEqual([])
})

function chunk(bytes: number): string {
  return `${bytes.toString(16)}\r\n${'x'.repeat(bytes)}\r\n0\r\n\r\n`
}

/** Whether Weir's end of a connection is open, as the kernel has it. */
function isHeld({ url }: TestWeir, { localPort = 0 }: Socket): boolean {
  const ends = [Number(new URL(url).port), localPort].map((port) => `0100007F:${hex(port)}`)
  return readFileSync('/proc/net/tcp', 'utf8').includes(`${ends.join(' ')} 01 `)
}

function hex(port: number): string {
  return port.toString(16).toUpperCase().padStart(4, '0')
}
