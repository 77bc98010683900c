import { describe, expect, test } from 'bun:test'
import { parseConfig } from '../../src/config.ts'
import { openRelay } from '../../src/relay/open.ts'
import { type Line, withPresence } from '../../src/relay/presence.ts'
import type { RelayEvents, RelayMessage } from '../../src/relay/relay.ts'
import { openStorage } from '../support/data-dir.ts'
import { isSkipped, SETUPS } from '../support/setups.ts'
import { until } from '../support/until.ts'

const STORED: RelayMessage = { type: 'stored', spans: [['one', 1, 2]] }
const WANTED: RelayMessage = { type: 'wanted' }

/** A process of its own, on a line whose messages are caught, and a clock that is set by hand. */
function process() {
  const sent: RelayMessage[] = []
  const received: RelayMessage[] = []
  let restored = 0
  let events: RelayEvents | undefined
  let at = 0
  const line: Line = {
    listen: (listener) => {
      events = listener
    },
    publish: (message) => void sent.push(message),
    close: async () => {},
  }
  const relay = withPresence(line, () => at)
  relay.listen({ received: (message) => void received.push(message), restored: () => void restored++ })
  return {
    relay,
    received,
    restored: () => restored,
    sent: () => sent.splice(0),
    hears: (message: RelayMessage) => events?.received(message),
    pass: (ms: number) => {
      at += ms
    },
  }
}

test('a process that comes asks who is there, and tells everything until they have had the time to answer', async () => {
  const { relay, sent, pass } = process()
  expect(sent()).toEqual([{ type: 'here', isNew: true }])
  relay.publish(STORED)
  expect(sent()).toEqual([STORED])
  pass(20_000)
  expect(relay.isHeard()).toBe(false)
  relay.publish(STORED)
  relay.publish({ type: 'changed', ids: ['one'] })
  relay.publish(WANTED)
  expect(sent()).toEqual([WANTED])
  await relay.close()
})

test('one that took itself to be alone answers who comes, and says that something was not told', async () => {
  const { relay, received, sent, hears, pass } = process()
  pass(20_000)
  sent()
  hears({ type: 'here', isNew: true })
  expect(sent()).toEqual([{ type: 'untold' }, { type: 'here', isNew: false }])
  relay.publish(STORED)
  expect(sent()).toEqual([STORED])
  hears({ type: 'here', isNew: false })
  expect(sent()).toEqual([])
  expect(received).toEqual([])
  await relay.close()
})

test('who was not told reads what it may have missed', async () => {
  const { relay, received, restored, hears } = process()
  hears({ type: 'untold' })
  expect(restored()).toBe(1)
  hears(WANTED)
  expect(received).toEqual([WANTED])
  await relay.close()
})

for (const setup of SETUPS.filter(({ name }) => name !== 'embedded')) {
  describe.skipIf(isSkipped(setup))(setup.name, () => {
    test('long lists come whole, to everybody but who sent them', async () => {
      const services = await setup.open()
      const config = parseConfig({ ...services.environment })
      const storage = await openStorage(config)
      const [one, other] = [
        await openRelay(config, storage, 'one'),
        await openRelay(config, storage, 'other'),
      ]
      const ids = Array.from({ length: 2_500 }, () => Bun.randomUUIDv7())
      const heard = { one: [] as string[], other: [] as string[] }
      const hear = (name: 'one' | 'other'): RelayEvents => ({
        received: (message) => void (message.type === 'changed' && heard[name].push(...message.ids)),
        restored: () => {},
      })
      one.listen(hear('one'))
      other.listen(hear('other'))
      one.publish({ type: 'changed', ids })
      await until('all have come', () => heard.other.length >= ids.length)
      expect(heard).toEqual({ one: [], other: ids })
      await Promise.all([one.close(), other.close()])
      await storage.close()
      await services.close()
    })
  })
}
