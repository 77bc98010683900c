import { afterEach, beforeEach, expect, jest, test } from 'bun:test'
import { withNumbers } from '../../src/relay/numbers.ts'
import { withPresence } from '../../src/relay/presence.ts'
import { type RelayMessage, split } from '../../src/relay/relay.ts'
import type { Transport, TransportEvents } from '../../src/relay/transport.ts'
import { elapse } from '../support/clock.ts'

let events: TransportEvents | undefined
let sent: RelayMessage[]
const transport: Transport = {
  maxItems: 100,
  listen: (given) => {
    events = given
  },
  send: async (payloads) => void sent.push(...payloads.map((payload) => JSON.parse(payload).message)),
  close: async () => {},
}

beforeEach(() => {
  jest.useFakeTimers()
  sent = []
})

afterEach(() => {
  jest.useRealTimers()
})

const hears = (number: number, message: RelayMessage = { type: 'list.changed' }) =>
  events?.received(JSON.stringify({ from: 'other', number, message }))

test('messages that are missing within a moment are told once', async () => {
  let missed = 0
  const line = withNumbers(transport, 'one')
  line.listen({ received: () => {}, restored: () => {}, missed: () => void missed++ })
  for (const number of [1, 3, 5, 7]) hears(number)
  expect(missed).toBe(0)
  await elapse(99)
  expect(missed).toBe(0)
  await elapse(1)
  expect(missed).toBe(1)
  hears(9)
  await line.close()
  await elapse(1_000)
  expect(missed).toBe(1)
})

test('a process says every five seconds that it is there, until it ends', async () => {
  const relay = withPresence(withNumbers(transport, 'one'))
  relay.listen({ received: () => {}, restored: () => {} })
  await elapse(4_999)
  const present = () => sent.filter((message) => message.type === 'process.present').length
  const before = present()
  await elapse(1)
  expect(present()).toBe(before + 1)
  await elapse(5_000)
  expect(present()).toBe(before + 2)
  await relay.close()
  const after = present()
  await elapse(60_000)
  expect([present(), jest.getTimerCount()]).toEqual([after, 0])
})

test('what a line that was down has missed is read, and the others are asked who they are', async () => {
  let restored = 0
  const relay = withPresence(withNumbers(transport, 'one'))
  relay.listen({ received: () => {}, restored: () => void restored++ })
  await elapse(0)
  sent = []
  events?.restored()
  await elapse(0)
  expect(restored).toBe(1)
  expect(sent).toEqual([{ type: 'process.present', isNew: true }])
  await relay.close()
})

test('every list is split, and nothing else', () => {
  const ids = Array.from({ length: 250 }, (_, index) => `${index}`)
  const lengths = (message: RelayMessage) =>
    split(message, 100).map((part) => {
      expect(part.type).toBe(message.type)
      return 'streamIds' in part
        ? part.streamIds.length
        : 'runs' in part
          ? part.runs.length
          : 'spans' in part
            ? part.spans.length
            : undefined
    })
  const three = [100, 100, 50]
  expect(lengths({ type: 'run.interrupt', streamIds: ids })).toEqual(three)
  expect(lengths({ type: 'stream.updated', streamIds: ids })).toEqual(three)
  expect(lengths({ type: 'run.started', runs: ids.map((id) => [id, 1]) })).toEqual(three)
  expect(lengths({ type: 'entries.stored', spans: ids.map((id) => [id, 1, 2]) })).toEqual(three)
  expect(lengths({ type: 'list.changed' })).toEqual([undefined])
  expect(
    split({ type: 'run.interrupt', streamIds: ids }, 100).flatMap((part) =>
      'streamIds' in part ? part.streamIds : [],
    ),
  ).toEqual(ids)
})

test('others are believed to be there for sixteen seconds after their last word', () => {
  let now = 0
  const relay = withPresence(withNumbers(transport, 'one'), () => now)
  relay.listen({ received: () => {}, restored: () => {} })
  const isHeardAt = (ms: number) => {
    now = ms
    return relay.isHeard()
  }
  expect([isHeardAt(15_999), isHeardAt(16_000)]).toEqual([true, false])
  now = 20_000
  hears(1, { type: 'process.present', isNew: false })
  expect([isHeardAt(35_999), isHeardAt(36_000)]).toEqual([true, false])
})
