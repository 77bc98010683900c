import { expect, test } from 'bun:test'
import type { Envelope } from '../../src/relay/envelope.ts'
import { withNumbers } from '../../src/relay/numbers.ts'
import { withPresence } from '../../src/relay/presence.ts'
import type { RelayMessage } from '../../src/relay/relay.ts'
import { Senders } from '../../src/relay/senders.ts'
import type { Transport, TransportEvents } from '../../src/relay/transport.ts'
import { until } from '../support/until.ts'

const CHANGED: RelayMessage = { type: 'list.changed' }
const PRESENT: RelayMessage = { type: 'process.present', isNew: false }

/** A transport that hands back what it is given to send, unless it is down. */
function loop() {
  const sent: Envelope[] = []
  const state = { isDown: false, attempts: 0, events: undefined as TransportEvents | undefined }
  const transport: Transport = {
    maxItems: 2,
    listen: (events) => {
      state.events = events
    },
    async send(payloads) {
      state.attempts++
      if (state.isDown) throw new Error('The line is down')
      for (const payload of payloads) {
        sent.push(JSON.parse(payload))
        state.events?.received(payload)
      }
    },
    close: async () => {},
  }
  return { transport, sent, state }
}

const numbersOf = (sent: readonly Envelope[]) => sent.map(({ number, message }) => [number, message.type])

test('each part of a message has a number; one beacon repeats the last, and then nothing is sent', async () => {
  const { transport, sent } = loop()
  const line = withNumbers(transport, 'one')
  const received: RelayMessage[] = []
  line.listen({ received: (message) => void received.push(message), missed: fail, restored: fail })
  line.publish({ type: 'stream.updated', streamIds: ['a', 'b', 'c'] })
  line.publish(CHANGED)
  await until('the beacon is sent', () => sent.length === 4)
  // Another line's beacon takes as long as a second one of this line would.
  const later = loop()
  const other = withNumbers(later.transport, 'other')
  other.publish(CHANGED)
  await until('the beacon of the other line is sent', () => later.sent.length === 2)
  expect(numbersOf(sent)).toEqual([
    [1, 'stream.updated'],
    [2, 'stream.updated'],
    [3, 'list.changed'],
    [3, 'process.present'],
  ])
  expect(received).toEqual([])
  await Promise.all([line.close(), other.close()])
})

test('an idle process says nothing but that it is present', async () => {
  const { transport, sent } = loop()
  const relay = withPresence(withNumbers(transport, 'one'))
  relay.listen({ received: fail, restored: fail })
  await until('it has said so some times', () => sent.length === 3)
  expect(sent.map(({ number, message }) => ({ number, message }))).toEqual([
    { number: 1, message: { type: 'process.present', isNew: true } },
    ...Array.from({ length: 2 }, () => ({ number: 1, message: PRESENT })),
  ])
  await relay.close()
}, 60_000)

test('what can’t be sent is lost; the beacon is sent once the line is up', async () => {
  const { transport, sent, state } = loop()
  const line = withNumbers(transport, 'one')
  state.isDown = true
  line.publish(CHANGED)
  line.publish(CHANGED)
  await until('the beacon has failed too', () => state.attempts > 2)
  state.isDown = false
  await until('the beacon is sent', () => sent.length > 0)
  expect(numbersOf(sent)).toEqual([[2, 'process.present']])
  await line.close()
})

test('while the transport is slow messages wait up to a bound, in order, and are sent at the end', async () => {
  const { transport, sent } = loop()
  const first = Promise.withResolvers<void>()
  const { send } = transport
  transport.send = async (payloads) => {
    await first.promise
    await send(payloads)
  }
  const line = withNumbers(transport, 'one')
  for (let times = 0; times < 3_000; times++) line.publish(CHANGED)
  const closed = line.close()
  first.resolve()
  await closed
  line.publish(CHANGED)
  expect(sent.map(({ number }) => number)).toEqual(Array.from({ length: 1_001 }, (_, index) => index + 1))
})

test('at its end a line says how many messages it has sent', async () => {
  const { transport, sent } = loop()
  const line = withNumbers(transport, 'one')
  line.publish(CHANGED)
  await line.close()
  expect(numbersOf(sent)).toEqual([
    [1, 'list.changed'],
    [1, 'process.present'],
  ])
})

/** Senders on a clock that is set by hand. */
function senders() {
  let at = 0
  const known = new Senders(() => at)
  const pass = (ms: number) => {
    at += ms
  }
  return { known, pass }
}

test('a process that was there before is taken from where it stands', () => {
  const { known } = senders()
  expect(known.heard('old', 500, false)).toBe(false)
  expect(known.heard('older', 900, true)).toBe(false)
  expect(known.heard('old', 501, true)).toBe(false)
  expect(known.heard('old', 501, false)).toBe(false)
  expect(known.heard('old', 503, true)).toBe(true)
  expect(known.heard('older', 901, false)).toBe(true)
})

test('a process that started later counts from its first message on', () => {
  const { known, pass } = senders()
  pass(20_000)
  expect(known.heard('new', 1, true)).toBe(false)
  expect(known.heard('newer', 2, true)).toBe(true)
  expect(known.heard('newest', 1, false)).toBe(true)
  expect(known.heard('silent', 0, false)).toBe(false)
})

test('a late message is no loss, and what is missing is reported once', () => {
  const { known } = senders()
  known.heard('one', 1, true)
  expect(known.heard('one', 3, true)).toBe(true)
  expect(known.heard('one', 2, true)).toBe(false)
  expect(known.heard('one', 3, false)).toBe(false)
  expect(known.heard('one', 4, true)).toBe(false)
})

test('senders are forgotten when they are gone for long, and when there are too many', () => {
  const { known, pass } = senders()
  known.heard('gone', 1, true)
  pass(50_000)
  known.heard('there', 1, true)
  pass(50_000)
  known.heard('there', 2, true)
  expect(known.size).toBe(1)
  for (let index = 0; index < 2_000; index++) known.heard(`other-${index}`, 1, true)
  expect(known.size).toBe(1_000)
})

function fail(): never {
  throw new Error('Nothing should have come')
}
