import { afterEach, beforeEach, expect, test } from 'bun:test'
import { encodeMessage } from '../../src/core/sse.ts'
import { Hub } from '../../src/hub/hub.ts'
import { until } from '../support/until.ts'
import { type HubServer, Reader, serveHub } from './support.ts'

let hub: Hub
let server: HubServer

beforeEach(() => {
  hub = new Hub(() => 0)
  server = serveHub(hub)
})

afterEach(async () => {
  hub.close()
  await server.stop()
})

const open = (topic: string) => Reader.open(`${server.url}/${topic}`)
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

test('a stream isn’t cached or buffered', async () => {
  const { response } = await open('a')
  expect(response.status).toBe(200)
  expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
  expect(response.headers.get('cache-control')).toBe('no-store')
  expect(response.headers.get('x-accel-buffering')).toBe('no')
})

test.each([
  [0, 1_000],
  [0.5, 1_500],
  [0.999, 1_999],
])('it starts with a reconnection time, different for each reader: %p', async (random, retryMs) => {
  const jittered = new Hub(() => random)
  const { body } = jittered.subscribe('a', { signal: new AbortController().signal })
  const { value } = (await body?.getReader().read()) ?? {}
  expect(text(value as Uint8Array)).toBe(`retry: ${retryMs}\n\n`)
  jittered.close()
})

test('every reader of a topic gets the same bytes, in order, with their IDs', async () => {
  const readers = await Promise.all([open('a'), open('a'), open('a')])
  const messages = Array.from({ length: 500 }, (_, position) => ({
    data: `żółw\n${position}`,
    position,
    event: 'e',
  }))
  for (const message of messages) hub.publish('a', message)
  const frames = messages.map(({ data, event, position }) =>
    encodeMessage({ data, event, id: String(position) }),
  )
  const expected = `retry: 1000\n\n${frames.map(text).join('')}`
  for (const reader of readers) {
    await until('a reader has all', () => reader.text.length >= expected.length)
    expect(reader.text).toBe(expected)
  }
})

test('a message without a name has none', async () => {
  const reader = await open('a')
  hub.publish('a', { data: 'x', position: 7 })
  await reader.has('id: 7\ndata: x\n\n')
  expect(reader.text).not.toContain('event:')
})

test('a message is encoded once for all readers', async () => {
  const readers = await Promise.all([open('a'), open('a')])
  let encoded = 0
  const message = {
    position: 1,
    get data() {
      encoded++
      return 'x'
    },
  }
  hub.publish('a', message)
  for (const reader of readers) await reader.has('id: 1\ndata: x\n\n')
  expect(encoded).toBe(1)
})

test('a topic gets only its own messages', async () => {
  const [a, b] = await Promise.all([open('a'), open('b')])
  hub.publish('a', { data: 'for a', position: 1 })
  hub.publish('b', { data: 'for b', position: 2 })
  await Promise.all([a.has('for a'), b.has('for b')])
  expect(a.ids).toEqual([1])
  expect(b.ids).toEqual([2])
})

test('messages without subscribers are dropped', async () => {
  expect(hub.has('a')).toBe(false)
  hub.publish('a', { data: 'early', position: 1 })
  const reader = await open('a')
  expect(hub.has('a')).toBe(true)
  hub.publish('a', { data: 'late', position: 2 })
  await reader.has('late')
  expect(reader.ids).toEqual([2])
})

test('readers that leave are removed, and the others stay', async () => {
  const readers = await Promise.all([open('a'), open('a'), open('b')])
  expect(hub.counts).toEqual({ open: 3, left: 0, slow: 0, failed: 0, revoked: 0 })
  readers[0].leave()
  await until('one has left', () => hub.counts.left === 1)
  expect(hub.has('a')).toBe(true)
  hub.publish('a', { data: 'still here', position: 1 })
  await readers[1].has('still here')
  readers[1].leave()
  readers[2].leave()
  await until('all have left', () => hub.counts.left === 3)
  expect(hub.counts).toEqual({ open: 0, left: 3, slow: 0, failed: 0, revoked: 0 })
  expect([hub.has('a'), hub.has('b')]).toEqual([false, false])
})

test('a reader that cancels and aborts is counted once', async () => {
  const abort = new AbortController()
  const { body } = hub.subscribe('a', { signal: abort.signal })
  await body?.cancel()
  expect(hub.counts).toEqual({ open: 0, left: 1, slow: 0, failed: 0, revoked: 0 })
  abort.abort()
  expect(hub.counts).toEqual({ open: 0, left: 1, slow: 0, failed: 0, revoked: 0 })
})

test('a request aborted before the response isn’t kept', async () => {
  const { body } = hub.subscribe('a', { signal: AbortSignal.abort() })
  expect(hub.counts).toEqual({ open: 0, left: 1, slow: 0, failed: 0, revoked: 0 })
  expect(hub.has('a')).toBe(false)
  expect(await new Response(body).text()).toBe('retry: 1000\n\n')
})

test('close ends every stream after sending what is queued', async () => {
  const readers = await Promise.all([open('a'), open('a'), open('b')])
  hub.publish('a', { data: 'last', position: 1 })
  hub.close()
  for (const reader of readers) await until('a stream has ended', () => reader.ended)
  expect(readers.map(({ ids }) => ids)).toEqual([[1], [1], []])
  expect(hub.counts).toMatchObject({ open: 0, left: 3 })
  expect([hub.has('a'), hub.has('b')]).toEqual([false, false])
})
