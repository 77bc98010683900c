import { afterEach, beforeEach, expect, test } from 'bun:test'
import { gunzipSync } from 'node:zlib'
import { acceptsGzip, Frame } from '../../src/hub/frame.ts'
import { Hub } from '../../src/hub/hub.ts'

let hub: Hub

beforeEach(() => {
  hub = new Hub(() => 0)
})

afterEach(() => hub.close())

const signal = () => new AbortController().signal

async function all(response: Response): Promise<Uint8Array> {
  return new Uint8Array(await response.arrayBuffer())
}

test('a compressed stream decompresses to the same frames, with a valid checksum', async () => {
  const plain = hub.subscribe('a', { signal: signal() })
  const packed = hub.subscribe('a', { signal: signal(), gzip: true })
  for (let position = 0; position < 50; position++) {
    hub.publish('a', { event: 'patch', data: `żółw ${'ab'.repeat(position * 20)}`, position })
  }
  hub.close()
  const [expected, got] = await Promise.all([all(plain), all(packed)])
  expect(packed.headers.get('content-encoding')).toBe('gzip')
  expect(Buffer.from(gunzipSync(got)).equals(expected)).toBe(true)
  expect(got.byteLength).toBeLessThan(expected.byteLength / 4)
})

test('readers that join at different times share the compressed bytes of a frame', async () => {
  const early = hub.subscribe('a', { signal: signal(), gzip: true })
  hub.publish('a', { data: 'one', position: 1 })
  const late = hub.subscribe('a', { signal: signal(), gzip: true })
  const frame = Frame.of({ data: 'two', position: 2 })
  hub.publish('a', frame)
  expect(frame.deflated).toBe(frame.deflated)
  hub.close()
  expect(gunzipSync(await all(early)).toString()).toEndWith('id: 1\ndata: one\n\nid: 2\ndata: two\n\n')
  expect(gunzipSync(await all(late)).toString()).toBe('retry: 1000\n\nid: 2\ndata: two\n\n')
})

test('a client with gzip gets every event when it is sent', async () => {
  const server = Bun.serve({ port: 0, fetch: ({ signal }) => hub.subscribe('a', { signal, gzip: true }) })
  const reader = (await fetch(server.url)).body?.pipeThrough(new TextDecoderStream()).getReader()
  expect((await reader?.read())?.value).toBe('retry: 1000\n\n')
  for (let position = 1; position < 4; position++) {
    hub.publish('a', { data: 'x', position })
    expect((await reader?.read())?.value).toBe(`id: ${position}\ndata: x\n\n`)
  }
  await reader?.cancel()
  await server.stop(true)
})

test('a meter records every byte, and how it ended', async () => {
  const told: (number | string)[] = []
  const meter = { sent: (bytes: number) => told.push(bytes), closed: (reason: string) => told.push(reason) }
  const response = hub.subscribe('a', { signal: signal(), meter })
  hub.publish('a', { data: 'x', position: 1 })
  hub.end('a')
  const { byteLength } = await all(response)
  expect(told.at(-1)).toBe('left')
  expect(told.slice(0, -1).reduce((sum: number, bytes) => sum + Number(bytes), 0)).toBe(byteLength)
})

test.each([
  ['gzip', true],
  ['gzip, deflate, br', true],
  ['br;q=1.0, GZIP;q=0.5', true],
  ['gzip;q=0', false],
  ['gzip;q=0.0, br', false],
  ['deflate', false],
  ['', false],
])('%p accepts gzip: %p', (accepted, takes) => {
  expect(acceptsGzip(new Headers({ 'Accept-Encoding': accepted }))).toBe(takes)
})
