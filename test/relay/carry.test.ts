import { expect, test } from 'bun:test'
import type { Bus } from '../../src/bus/bus.ts'
import type { WeirEvent } from '../../src/bus/events.ts'
import { carryEvents } from '../../src/relay/carry.ts'
import type { Relay, RelayEvents, RelayMessage } from '../../src/relay/relay.ts'
import { heardOn, testBus } from '../support/bus.ts'
import { until } from '../support/until.ts'

/** Two processes whose messages go through JSON, as on any line, and are kept. */
function twoProcesses() {
  const listening: RelayEvents[] = []
  const sent: RelayMessage[] = []
  const open = (index: number) => {
    const bus: Bus = testBus()
    const state = { isHeard: true }
    const relay: Relay = {
      listen: (events) => {
        listening[index] = events
      },
      publish: (message) => {
        sent.push(message)
        listening[1 - index]?.received(JSON.parse(JSON.stringify(message)))
      },
      isHeard: () => state.isHeard,
      close: async () => {},
    }
    return { bus, state, carrier: carryEvents(bus, relay), events: () => listening[index] as RelayEvents }
  }
  const [one, other] = [open(0), open(1)]
  return { one, other, sent }
}

const entry = (streamId: string, seq: number) =>
  ({ streamId, seq, at: 0, epoch: 1, kind: 'event', wireBytes: 1, bodyBytes: 1, data: 'secret' }) as const

test('what happens in one process is heard in the other as having happened elsewhere, and never comes back', () => {
  const { one, other, sent } = twoProcesses()
  const events: WeirEvent[] = [
    { type: 'stream.updated', streamIds: ['a', 'b'] },
    { type: 'list.changed' },
    { type: 'run.started', runs: [['a', 3]] },
    { type: 'run.interrupt', streamIds: ['a'] },
    { type: 'job.enqueued' },
    { type: 'key.updated' },
    { type: 'session.ended' },
  ]
  const types = events.map(({ type }) => type)
  const [here, there] = [heardOn(one.bus, ...types), heardOn(other.bus, ...types)]
  const origins: string[] = []
  other.bus.subscribe('the test', { 'list.changed': (_event, origin) => void origins.push(origin) })
  for (const event of events) one.bus.publish(event)
  expect(there).toEqual(events)
  expect(here).toEqual(events)
  expect(origins).toEqual(['elsewhere'])
  expect(sent).toHaveLength(events.length)
})

test('of entries others are told numbers only, and nothing where nobody hears', () => {
  const { one, other, sent } = twoProcesses()
  const there = heardOn(other.bus, 'entries.stored')
  one.bus.publish({ type: 'entries.stored', entries: [entry('a', 4), entry('b', 1), entry('a', 5)] })
  const spans = [
    ['a', 4, 5],
    ['b', 1, 1],
  ]
  expect(there).toEqual([{ type: 'entries.stored', spans }] as unknown as WeirEvent[])
  one.state.isHeard = false
  one.bus.publish({ type: 'entries.stored', entries: [entry('a', 6)] })
  expect(sent).toHaveLength(1)
})

test('what only pages show is sent once for all that happens at a time', async () => {
  const { one, other, sent } = twoProcesses()
  const there = heardOn(other.bus, 'channel.updated', 'incident.updated', 'silence.updated', 'rule.updated')
  for (let times = 0; times < 1_000; times++) one.bus.publish({ type: 'channel.updated' })
  for (const type of ['incident.updated', 'silence.updated', 'rule.updated'] as const)
    one.bus.publish({ type })
  expect(sent).toEqual([])
  await until('all came', () => there.length === 4)
  expect(there.map(({ type }) => type)).toEqual([
    'channel.updated',
    'incident.updated',
    'silence.updated',
    'rule.updated',
  ])
})

test('what concerns one process alone, and what a later Weir sends, is not passed on', () => {
  const { one, other, sent } = twoProcesses()
  one.bus.publish({ type: 'entries.read', entries: [entry('a', 1)] })
  one.bus.publish({ type: 'stream.watched', streamId: 'a', seq: 1 })
  one.bus.publish({ type: 'run.unwanted', streamIds: ['a'] })
  expect(sent).toEqual([])
  const there = heardOn(other.bus, 'entries.read', 'stream.watched', 'run.unwanted')
  other.events().received({ type: 'run.unwanted', streamIds: ['a'] } as unknown as RelayMessage)
  other.events().received({ type: 'toString' } as unknown as RelayMessage)
  expect(there).toEqual([])
})

test('a line that is back is an event of this process alone', () => {
  const { one, sent } = twoProcesses()
  const here = heardOn(one.bus, 'relay.restored')
  one.events().restored()
  expect(here).toEqual([{ type: 'relay.restored' }])
  expect(sent).toEqual([])
})

test('at its end what was gathered is sent, and nothing after that', () => {
  const { one, sent } = twoProcesses()
  one.bus.publish({ type: 'channel.updated' })
  one.carrier.end()
  one.bus.publish({ type: 'list.changed' })
  one.bus.publish({ type: 'channel.updated' })
  one.carrier.end()
  expect(sent).toEqual([{ type: 'channel.updated' }])
})
