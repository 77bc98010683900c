import { expect, test } from 'bun:test'
import { Bus } from '../../src/bus/bus.ts'
import type { WeirEvent } from '../../src/bus/events.ts'

const LIST: WeirEvent = { type: 'list.changed' }
const CHANNEL: WeirEvent = { type: 'channel.updated' }

function opened() {
  const reports: string[] = []
  const heard: string[] = []
  const bus = new Bus((message) => void reports.push(message))
  /** Somebody who notes both events, after doing something. */
  const note = (name: string, first: () => void = () => {}) =>
    bus.subscribe(name, {
      'list.changed': (_event, origin) => {
        first()
        heard.push(`${name}: list ${origin}`)
      },
      'channel.updated': () => void heard.push(`${name}: channel`),
    })
  return { bus, reports, heard, note }
}

test('everybody has heard when publish returns, in the order in which they subscribed', () => {
  const { bus, heard, note } = opened()
  for (const name of ['one', 'two', 'three']) note(name)
  bus.publish(LIST)
  expect(heard).toEqual(['one: list here', 'two: list here', 'three: list here'])
})

test('an event carries what it is about, and only those hear of it that asked for its type', () => {
  const { bus, heard } = opened()
  bus.subscribe('streams', { 'stream.updated': ({ streamIds }) => void heard.push(...streamIds) })
  bus.subscribe('lists', { 'list.changed': () => void heard.push('list') })
  bus.publish({ type: 'stream.updated', streamIds: ['a', 'b'] })
  bus.publish(CHANNEL)
  expect(heard).toEqual(['a', 'b'])
})

test('what a subscriber publishes comes after the event that it hears, for everybody', () => {
  const { bus, heard, note } = opened()
  note('one', () => bus.publish(CHANNEL))
  note('two')
  bus.publish(LIST)
  expect(heard).toEqual(['one: list here', 'two: list here', 'one: channel', 'two: channel'])
})

test('a subscriber that throws is reported by name, and the others hear all the same', () => {
  const { bus, heard, reports, note } = opened()
  note('one')
  note('two', () => {
    throw new Error('no room')
  })
  note('three')
  bus.publish(LIST)
  bus.publish(CHANNEL)
  expect(heard).toEqual([
    'one: list here',
    'three: list here',
    'one: channel',
    'two: channel',
    'three: channel',
  ])
  expect(reports).toEqual([expect.stringMatching(/^two failed on list\.changed: .*no room/)])
})

test('who ended a subscription hears nothing more, not even of the event that is being heard', () => {
  const { bus, heard, note } = opened()
  note('one', () => last.end())
  const middle = note('two')
  const last = note('three')
  bus.publish(LIST)
  middle.end()
  middle.end()
  bus.publish(CHANNEL)
  expect(heard).toEqual(['one: list here', 'two: list here', 'one: channel'])
})

test('who subscribes while an event is being heard hears from the next one on', () => {
  const { bus, heard, note } = opened()
  const joined: unknown[] = []
  note('one', () => void (joined.length === 0 && joined.push(note('two'))))
  bus.publish(LIST)
  expect(heard).toEqual(['one: list here'])
  bus.publish(LIST, 'elsewhere')
  expect(heard.slice(1)).toEqual(['one: list elsewhere', 'two: list elsewhere'])
})

test('subscribers that answer each other without end are stopped, and it is reported', () => {
  const { bus, reports } = opened()
  let count = 0
  bus.subscribe('ping', { 'list.changed': () => bus.publish(CHANNEL) })
  bus.subscribe('pong', {
    'channel.updated': () => {
      count++
      bus.publish(LIST)
    },
  })
  bus.publish(LIST)
  expect(count).toBe(500)
  expect(reports).toEqual(['Dropped channel.updated: one event triggered more than 1000 others'])
  bus.publish(CHANNEL)
  expect(count).toBe(1_000 + 1)
})
