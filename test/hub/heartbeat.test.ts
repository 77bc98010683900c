import { afterEach, beforeEach, expect, jest, test } from 'bun:test'
import { Hub, type SubscribeOptions } from '../../src/hub/hub.ts'

const HEARTBEAT_MS = 15_000
const BEAT = ': heartbeat\n\n'
const MIB = 'x'.repeat(1_048_576)

let hub: Hub

beforeEach(() => {
  jest.useFakeTimers()
  hub = new Hub(() => 0)
})

afterEach(() => {
  hub.close()
  jest.useRealTimers()
})

/** Reads messages in the same process, past the retry hint: time stands still, so nothing comes by itself. */
async function subscribe(replay?: SubscribeOptions['replay']) {
  const { signal } = new AbortController()
  const { body } = hub.subscribe('a', replay === undefined ? { signal } : { signal, replay })
  const reader = (body as ReadableStream<Uint8Array>).getReader()
  let unread: string[] = []
  const read = async () => {
    if (unread.length === 0) {
      const { value } = await reader.read()
      unread = new TextDecoder().decode(value).split(/(?<=\n\n)/)
    }
    return unread.shift() as string
  }
  expect(await read()).toBe('retry: 1000\n\n')
  return read
}

test('an idle stream sends a heartbeat every fifteen seconds, to every reader', async () => {
  const readers = [await subscribe(), await subscribe()]
  for (let beat = 0; beat < 3; beat++) {
    jest.advanceTimersByTime(HEARTBEAT_MS - 1)
    hub.publish('a', { data: 'before', position: beat })
    jest.advanceTimersByTime(1)
    for (const read of readers) {
      expect(await read()).toBe(`id: ${beat}\ndata: before\n\n`)
      expect(await read()).toBe(BEAT)
    }
  }
})

test('a heartbeat also drops a reader that doesn’t read', async () => {
  await subscribe()
  hub.publish('a', { data: MIB, position: 1 })
  expect(hub.counts).toMatchObject({ open: 1, slow: 0 })
  jest.advanceTimersByTime(HEARTBEAT_MS)
  expect(hub.counts).toMatchObject({ open: 0, slow: 1 })
})

test('a replay that waits for its reader isn’t ended by a heartbeat', async () => {
  const read = await subscribe(async (send) => {
    for (let position = 1; position <= 4; position++) await send({ data: MIB, position })
  })
  for (let position = 1; position <= 4; position++) {
    jest.advanceTimersByTime(HEARTBEAT_MS)
    expect(hub.counts).toMatchObject({ open: 1, slow: 0 })
    let message = await read()
    while (message === BEAT) message = await read()
    expect(message).toStartWith(`id: ${position}\n`)
  }
})

test('a replay whose reader reads nothing between two heartbeats is', async () => {
  const ended = Promise.withResolvers<void>()
  await subscribe(async (send) => {
    try {
      for (let position = 1; position <= 4; position++) await send({ data: MIB, position })
    } finally {
      ended.resolve()
    }
  })
  jest.advanceTimersByTime(HEARTBEAT_MS)
  expect(hub.counts).toMatchObject({ open: 1, slow: 0 })
  jest.advanceTimersByTime(HEARTBEAT_MS)
  expect(hub.counts).toMatchObject({ open: 0, slow: 1 })
  await ended.promise
})

test('after close there are no heartbeats', async () => {
  hub.close()
  const read = await subscribe()
  jest.advanceTimersByTime(2 * HEARTBEAT_MS)
  hub.publish('a', { data: 'x', position: 1 })
  expect(await read()).toBe('id: 1\ndata: x\n\n')
})
