import { expect, test } from 'bun:test'
import { connect } from 'node:net'
import type { Faults } from '../../src/sim/faults/faults.ts'
import type { CountSpec } from '../../src/sim/service/counting.ts'
import { documentAt, numberData } from '../../src/sim/service/numbers.ts'
import { realWorld } from '../../src/sim/world.ts'
import { until } from '../support/until.ts'
import { spec, start, stubWeir } from './support.ts'

/** A service that counts as fast as its world lets it, with a seed that is told. */
async function counting(count: Partial<CountSpec> = {}, faults?: Faults) {
  const weir = stubWeir()
  const seed = Math.floor(Math.random() * 2 ** 32)
  console.log(`seed ${seed}`)
  const sim = await start(
    {
      services: [
        spec('C', { count: { tells: 'numbers', everyMs: 10, heartbeatMs: 20, ...count } }),
        spec('clock', { count: { tells: 'numbers', everyMs: 10 } }),
      ],
      web: weir.url,
      seed,
    },
    { ...realWorld, log: () => {} },
  )
  const { url } = sim.first
  const ask = async (path: string, method: string, body: object) =>
    (await fetch(url + path, { method, body: JSON.stringify(body) })).json()
  const put = (value: Faults) => ask('/faults', 'PUT', value)
  if (faults !== undefined) await put(faults)
  const clock = request(sim.services[1]?.url ?? '', '/events')
  const dispose = async () => {
    clock[Symbol.dispose]()
    await sim.close()
    await weir[Symbol.asyncDispose]()
  }
  return {
    url,
    put,
    /** Waits for as long as another service, which has no faults, tells ten numbers. */
    async tenNumbers() {
      const now = clock.numbers().length
      await until('another service goes on', () => clock.numbers().length >= now + 10)
    },
    act: (action: string) => ask('/faults/actions', 'POST', { action }),
    readers: async () => (await (await fetch(`${url}/health`)).json()).readers as number,
    [Symbol.asyncDispose]: dispose,
  }
}

/** What comes over a bare socket after a request, byte for byte, and how it ends. */
function request(url: string, path: string, headers = '') {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname, () =>
    socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`),
  )
  const wire = {
    text: '',
    chunks: [] as string[],
    end: undefined as string | undefined,
    /** The payload, in HTTP's own words. */
    body: () => bodyOf(wire.text),
    isComplete: () => lengthOf(wire.text) === bodyOf(wire.text).length || wire.text.endsWith('\r\n0\r\n\r\n'),
    numbers: () =>
      [...bodyOf(wire.text).matchAll(/^data: (\{.*\})\n\n/gm)].map(([, data]) => JSON.parse(data ?? '').n),
    [Symbol.dispose]: () => socket.destroy(),
  }
  socket.on('data', (data) => {
    wire.text += String(data)
    wire.chunks.push(String(data))
  })
  socket.on('end', () => (wire.end ??= 'end'))
  socket.on('error', (error) => (wire.end ??= (error as NodeJS.ErrnoException).code))
  return wire
}

/** Of a body that was sent whole, because it ended before its head was sent; the others come in chunks. */
function lengthOf(text: string): number | undefined {
  const [, length] = /^content-length: (\d+)\r$/im.exec(text.slice(0, text.indexOf('\r\n\r\n') + 1)) ?? []
  return length === undefined ? undefined : Number(length)
}

function bodyOf(text: string): string {
  return lengthOf(text) === undefined ? chunksOf(text) : text.slice(text.indexOf('\r\n\r\n') + 4)
}

function chunksOf(text: string): string {
  let rest = Buffer.from(text.slice(text.indexOf('\r\n\r\n') + 4))
  let body = ''
  for (;;) {
    const line = rest.indexOf('\r\n')
    const length = line < 0 ? Number.NaN : Number.parseInt(rest.subarray(0, line).toString(), 16)
    if (!(length > 0)) return body
    body += rest.subarray(line + 2, line + 2 + length).toString()
    rest = rest.subarray(line + 2 + length + 2)
  }
}

const inOrder = (numbers: number[]) =>
  numbers.every((number, at) => at === 0 || number === (numbers[at - 1] ?? 0) + 1)
const status = (text: string) => text.split('\r\n')[0]

test('without faults a stream is retry, numbers in order, and heartbeats', async () => {
  await using service = await counting()
  using wire = request(service.url, '/events')
  await until('numbers come', () => wire.numbers().length > 20)
  expect(wire.body()).toStartWith('retry: 1000\n\n')
  expect(wire.body()).toContain(': heartbeat\n\n')
  const numbers = wire.numbers()
  expect(inOrder(numbers)).toBe(true)
  expect(wire.body()).toContain(`id: ${numbers[0]}\ndata: ${numberData('C', numbers[0])}\n\n`)
})

test('stalled: headers arrive, then nothing; the connection stays open, and continues without a loss', async () => {
  await using service = await counting()
  using before = request(service.url, '/events')
  await until('numbers come', () => before.numbers().length > 3)
  await service.put({ sse: { stall: true } })
  using after = request(service.url, '/events')
  await until('its headers come', () => after.text.includes('retry: 1000\n\n'))
  const [{ length }, then] = [before.text, after.text]
  await service.tenNumbers()
  expect([before.text.length, before.end]).toEqual([length, undefined])
  expect(after.text).toBe(then)
  await service.put({})
  await until('both go on', () => before.numbers().length > 20 && after.numbers().length > 3)
  expect(inOrder(before.numbers())).toBe(true)
  expect(inOrder(after.numbers())).toBe(true)
})

test('half open: open streams end, new ones get nothing, and are answered once it is over', async () => {
  await using service = await counting()
  using before = request(service.url, '/events')
  await until('numbers come', () => before.numbers().length > 3)
  await service.put({ sse: { halfOpen: true } })
  await until('it ends', () => before.isComplete())
  using after = request(service.url, '/events')
  using polled = request(service.url, '/feed')
  await service.tenNumbers()
  expect([after.text, after.end, polled.text, polled.end]).toEqual(['', undefined, '', undefined])
  await service.put({})
  await until('both are answered', () => after.numbers().length > 0 && polled.text.includes('"version"'))
})

test.each<[Faults['sse'], (numbers: number[]) => boolean]>([
  [{ duplicate: 1 }, (numbers) => numbers.every((number, at) => at % 2 === 0 || number === numbers[at - 1])],
  [
    { reorder: 1 },
    (numbers) => numbers.every((number, at) => at % 2 === 0 || number + 1 === numbers[at - 1]),
  ],
  [{ drop: 1 }, () => false],
])('%j is visible on the wire', async (sse, holds) => {
  await using service = await counting({}, { sse })
  using wire = request(service.url, '/events')
  await until('beats come', () => wire.body().split(': heartbeat\n\n').length > 10)
  const numbers = wire.numbers()
  if (sse?.drop) expect(numbers).toEqual([])
  else expect(numbers.length > 5 && holds(numbers)).toBe(true)
})

test('truncated: the first event lacks its end, and the stream ends normally', async () => {
  await using service = await counting({}, { sse: { truncate: 1 } })
  using wire = request(service.url, '/events')
  await until('it ends', () => wire.isComplete())
  expect(wire.numbers()).toEqual([])
  const cut = wire.body().replace('retry: 1000\n\n', '').replaceAll(': heartbeat\n\n', '')
  expect(cut.length).toBeGreaterThan(0)
  expect(/^i(d(:( (\d+(\n.*)?)?)?)?)?$/.test(cut)).toBe(true)
  expect(await service.readers()).toBe(0)
})

test('buffered: frames arrive together, in order, and none is lost', async () => {
  await using service = await counting({}, { sse: { bufferMs: 150 } })
  using wire = request(service.url, '/events')
  await until('three batches came', () => wire.chunks.length >= 4)
  const batch = wire.chunks[2] ?? ''
  expect(batch.split('data: ').length).toBeGreaterThan(3)
  expect(inOrder(wire.numbers())).toBe(true)
  await service.put({})
  await until('they come one by one', () => wire.chunks.at(-1)?.split('data: ').length === 2)
  expect(inOrder(wire.numbers())).toBe(true)
})

test('dripping: bytes arrive a few at a time, and add up', async () => {
  await using service = await counting({}, { sse: { slowDripBytesPerSecond: 300 } })
  using wire = request(service.url, '/events')
  await until('two numbers came', () => wire.numbers().length >= 2)
  for (const chunk of wire.chunks.slice(2))
    expect(chunksOf(`\r\n\r\n${chunk}`).length).toBeLessThanOrEqual(60)
  expect(inOrder(wire.numbers())).toBe(true)
})

test('a dripping stream holds back a bounded amount, and loses nothing', async () => {
  await using service = await counting({}, { sse: { slowDripBytesPerSecond: 1 } })
  using wire = request(service.url, '/events')
  await until('it drips', () => wire.chunks.length > 2)
  await service.put({})
  await until('it caught up', () => wire.numbers().length > 20)
  expect(inOrder(wire.numbers())).toBe(true)
})

test.each<[Faults['sse'], string, string]>([
  [{ status: 204 }, 'HTTP/1.1 204 No Content', ''],
  [{ status: 429 }, 'HTTP/1.1 429 Too Many Requests', 'retry-after: 1\r\n'],
  [{ status: 429, retryAfterSeconds: 7 }, 'HTTP/1.1 429 Too Many Requests', 'retry-after: 7\r\n'],
  [{ status: 503 }, 'HTTP/1.1 503 Service Unavailable', 'retry-after: 1\r\n'],
  [{ status: 500 }, 'HTTP/1.1 500 Internal Server Error', ''],
])('%j applies to streams and documents, and ends open streams', async (sse, line, header) => {
  await using service = await counting()
  using before = request(service.url, '/events')
  await until('numbers come', () => before.numbers().length > 0)
  await service.put({ sse: sse ?? {} })
  await until('it ends', () => before.isComplete())
  for (const path of ['/events', '/feed', '/state']) {
    using wire = request(service.url, path)
    await until('it is answered', () => wire.text.includes('\r\n\r\n'))
    expect(status(wire.text)).toBe(line)
    expect(wire.text.toLowerCase()).toContain(header)
  }
})

test('200 with JSON instead of the stream, and normal documents', async () => {
  await using service = await counting({}, { sse: { json: true } })
  const response = await fetch(`${service.url}/events`)
  expect(response.status).toBe(200)
  expect(response.headers.get('Content-Type')).toStartWith('application/json')
  expect(await response.json()).toMatchObject({ service: 'C' })
  expect((await fetch(`${service.url}/feed`)).status).toBe(200)
})

test('reset: open streams are broken off, and new connections get nothing', async () => {
  await using service = await counting()
  using before = request(service.url, '/events')
  await until('numbers come', () => before.numbers().length > 0)
  await service.put({ reset: true })
  await until('it is broken off', () => before.end)
  expect(before.end).toBe('ECONNRESET')
  using after = request(service.url, '/events')
  await until('it is broken off', () => after.end)
  expect([after.end, after.text]).toEqual(['ECONNRESET', ''])
})

test.each<[string, string, (text: string) => boolean]>([
  ['end', 'a last whole event, then the end', (text) => text.endsWith('\n\n\r\n0\r\n\r\n')],
  [
    'cut',
    'half an event, then the end',
    (text) => !text.endsWith('\n\n\r\n0\r\n\r\n') && text.endsWith('\r\n0\r\n\r\n'),
  ],
  ['drop', 'no end at all', (text) => !text.includes('\r\n0\r\n\r\n')],
])('the action %s leaves %s, and returns their number', async (action, _, holds) => {
  await using service = await counting({ everyMs: 1_000, since: 0 })
  using a = request(service.url, '/events')
  using b = request(service.url, '/events')
  await until('both are open', async () => (await service.readers()) === 2)
  expect(await service.act(action)).toEqual({ connections: 2 })
  for (const wire of [a, b]) {
    await until('it is over', () => wire.text.endsWith('0\r\n\r\n') || wire.end)
    expect(holds(wire.text)).toBe(true)
    if (action === 'drop') expect(wire.end).toBe('ECONNRESET')
  }
  expect(await service.readers()).toBe(0)
  using next = request(service.url, '/events')
  await until('a new one is as ever', () => next.numbers().length > 0)
})

test('a document is cut where a frame would be', async () => {
  await using service = await counting({}, { sse: { truncate: 1 } })
  const text = await (await fetch(`${service.url}/feed`)).text()
  expect(text.length).toBeGreaterThan(0)
  expect(() => JSON.parse(text)).toThrow()
  expect(JSON.stringify(documentAt('C', Number(/"version":(\d+)/.exec(text)?.[1] ?? 0)))).toStartWith(text)
})

test('a document stalls halfway, and is completed once that is over', async () => {
  await using service = await counting({}, { sse: { stall: true } })
  using wire = request(service.url, '/feed')
  await until('its half comes', () => wire.body().includes('"version"'))
  const half = wire.text
  await service.tenNumbers()
  expect([wire.text, wire.end]).toEqual([half, undefined])
  await service.put({})
  await until('it is over', () => wire.text.endsWith('0\r\n\r\n'))
  const document = JSON.parse(wire.body())
  expect(document).toEqual(documentAt('C', document.version))
})

test('duplicated, swapped or dropped frames don’t affect documents', async () => {
  await using service = await counting({}, { sse: { duplicate: 1, reorder: 1, drop: 1 } })
  const document = await (await fetch(`${service.url}/feed`)).json()
  expect(document).toEqual(documentAt('C', document.version))
})
