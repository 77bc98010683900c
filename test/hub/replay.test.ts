import { afterEach, beforeEach, expect, test } from 'bun:test'
import type { TopicMessage } from '../../src/hub/frame.ts'
import { Hub } from '../../src/hub/hub.ts'
import { until } from '../support/until.ts'
import { type HubServer, openStuck, Reader, serveHub } from './support.ts'

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

const message = (position: number, data = `m${position}`): TopicMessage => ({ data, position })
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index)
const open = () => Reader.open(`${server.url}/a`)
const KIB = 'x'.repeat(1_024)

test('missed messages come first, then live ones', async () => {
  server.replay = async (send) => {
    for (const position of range(1, 100)) await send({ ...message(position), event: 'missed' })
  }
  const reader = await open()
  await reader.has('id: 100\n')
  hub.publish('a', message(101))
  await reader.has('id: 101\n')
  expect(reader.ids).toEqual(range(1, 101))
  expect(reader.text).toStartWith('retry: 1000\n\nevent: missed\nid: 1\ndata: m1\n\n')
})

test('messages published during a replay come after it, once', async () => {
  const half = Promise.withResolvers<void>()
  server.replay = async (send) => {
    for (const position of range(1, 5)) await send(message(position))
    await half.promise
    // By now 6 to 9 were published and stored: the replay reads some of them too.
    for (const position of range(6, 8)) await send(message(position, `replayed ${position}`))
  }
  const reader = await open()
  await reader.has('id: 5\n')
  for (const position of range(6, 9)) hub.publish('a', message(position, `live ${position}`))
  half.resolve()
  await reader.has('id: 9\n')
  hub.publish('a', message(10))
  await reader.has('id: 10\n')
  expect(reader.ids).toEqual(range(1, 10))
  expect(reader.text).toContain('replayed 8')
  expect(reader.text).toContain('live 9')
  expect(reader.text).not.toContain('live 8')
})

test('an empty replay drops nothing', async () => {
  const gate = Promise.withResolvers<void>()
  server.replay = () => gate.promise
  const reader = await open()
  hub.publish('a', message(0))
  gate.resolve()
  await reader.has('id: 0\n')
})

test('other subscribers don’t wait for a replay', async () => {
  const gate = Promise.withResolvers<void>()
  server.replay = () => gate.promise
  const waiting = await open()
  server.replay = undefined
  const live = await open()
  hub.publish('a', message(1))
  await live.has('id: 1\n')
  expect(waiting.ids).toEqual([])
  gate.resolve()
  await waiting.has('id: 1\n')
})

test('a failed replay ends the stream as failed, after what it sent', async () => {
  server.replay = async (send) => {
    await send(message(1))
    throw new Error('the database is gone')
  }
  const reader = await open()
  await until('the stream has ended', () => reader.ended)
  expect(reader.text).toBe('retry: 1000\n\nid: 1\ndata: m1\n\n')
  expect(hub.counts).toEqual({ open: 0, left: 0, slow: 0, failed: 1, revoked: 0 })
  expect(hub.has('a')).toBe(false)
})

test('a replay waits for its reader, whatever its size', async () => {
  let sent = 0
  server.replay = async (send) => {
    for (const position of range(1, 1_000)) {
      await send(message(position, KIB.repeat(32)))
      sent = position
    }
  }
  const stuck = await openStuck(`${server.url}/a`)
  await until('some of it is sent', () => sent > 30)
  expect(sent).toBeLessThan(1_000)
  const reader = await open()
  await reader.has('id: 1000\n')
  expect(reader.ids).toEqual(range(1, 1_000))
  expect(hub.counts).toMatchObject({ open: 2, slow: 0 })
  stuck.destroy()
})

test('messages that waited for a replay follow the reader’s pace too', async () => {
  const gate = Promise.withResolvers<void>()
  server.replay = async (send) => {
    await send(message(1))
    await gate.promise
    for (const position of range(2, 9)) await send(message(position, KIB.repeat(900)))
  }
  const reader = await open()
  await reader.has('id: 1\n')
  for (const position of range(10, 19)) hub.publish('a', message(position, KIB.repeat(90)))
  gate.resolve()
  await reader.has('id: 19\n')
  hub.publish('a', message(20))
  await reader.has('id: 20\n')
  expect(reader.ids).toEqual(range(1, 20))
  expect(hub.counts).toMatchObject({ open: 1, slow: 0 })
})

test('a reader with more than 1 MiB waiting is dropped as slow', async () => {
  server.replay = () => Promise.withResolvers<void>().promise
  await open()
  for (const position of range(1, 15)) hub.publish('a', message(position, KIB.repeat(64)))
  expect(hub.counts).toMatchObject({ open: 1, slow: 0 })
  for (const position of range(16, 17)) hub.publish('a', message(position, KIB.repeat(64)))
  expect(hub.counts).toMatchObject({ open: 0, slow: 1 })
})

test('a replay ends when its reader has left', async () => {
  const ended = Promise.withResolvers<number>()
  server.replay = async (send) => {
    let position = 0
    try {
      while (position < 100_000) await send(message(++position, KIB))
    } finally {
      ended.resolve(position)
    }
  }
  const reader = await open()
  await reader.has('id: 1\n')
  reader.leave()
  expect(await ended.promise).toBeLessThan(100_000)
  expect(hub.counts).toEqual({ open: 0, left: 1, slow: 0, failed: 0, revoked: 0 })
})

test('a request aborted before the response gets no replay', () => {
  let began = false
  const replay = async () => {
    began = true
  }
  hub.subscribe('a', { signal: AbortSignal.abort(), replay })
  expect(began).toBe(false)
  expect(hub.counts).toEqual({ open: 0, left: 1, slow: 0, failed: 0, revoked: 0 })
})

test('a reader with a position gets nothing twice', async () => {
  server.after = 5
  server.replay = async () => {}
  const reader = await open()
  for (const position of [4, 5, 6, 6, 5, 7]) hub.publish('a', message(position))
  await reader.has('id: 7\n')
  expect(reader.ids).toEqual([6, 7])
})
