import { describe, expect, test } from 'bun:test'
import { parseConfig } from '../../src/config/config.ts'
import { openRelay } from '../../src/relay/open.ts'
import { type Line, withPresence } from '../../src/relay/presence.ts'
import type { RelayEvents, RelayMessage } from '../../src/relay/relay.ts'
import { openStorage } from '../support/data-dir.ts'
import { isSkipped, SETUPS } from '../support/setups.ts'
import { until } from '../support/until.ts'

const STORED: RelayMessage = { type: 'entries.stored', spans: [['one', 1, 2]] }
const ENQUEUED: RelayMessage = { type: 'job.enqueued' }

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

test('a new process asks who is there, and sends everything until they had time to respond', async () => {
  const { relay, sent, pass } = process()
  expect(sent()).toEqual([{ type: 'process.present', isNew: true }])
  relay.publish(STORED)
  expect(sent()).toEqual([STORED])
  pass(20_000)
  expect(relay.isHeard()).toBe(false)
  relay.publish(STORED)
  relay.publish({ type: 'stream.updated', streamIds: ['one'] })
  relay.publish(ENQUEUED)
  expect(sent()).toEqual([ENQUEUED])
  await relay.close()
})

test('a process that believed it was alone responds, and says that messages are missing', async () => {
  const { relay, received, sent, hears, pass } = process()
  pass(20_000)
  sent()
  hears({ type: 'process.present', isNew: true })
  expect(sent()).toEqual([{ type: 'process.unheard' }, { type: 'process.present', isNew: false }])
  relay.publish(STORED)
  expect(sent()).toEqual([STORED])
  hears({ type: 'process.present', isNew: false })
  expect(sent()).toEqual([])
  expect(received).toEqual([])
  await relay.close()
})

test('a process that missed messages reads them from the database', async () => {
  const { relay, received, restored, hears } = process()
  hears({ type: 'process.unheard' })
  expect(restored()).toBe(1)
  hears(ENQUEUED)
  expect(received).toEqual([ENQUEUED])
  await relay.close()
})

for (const setup of SETUPS.filter(({ name }) => name !== 'embedded')) {
  describe.skipIf(isSkipped(setup))(setup.name, () => {
    test('long lists arrive complete, at every process but the sender', async () => {
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
        received: (message) =>
          void (message.type === 'stream.updated' && heard[name].push(...message.streamIds)),
        restored: () => {},
      })
      one.listen(hear('one'))
      other.listen(hear('other'))
      one.publish({ type: 'stream.updated', streamIds: ids })
      await until('all have come', () => heard.other.length >= ids.length)
      expect(heard).toEqual({ one: [], other: ids })
      await Promise.all([one.close(), other.close()])
      await storage.close()
      await services.close()
    })
  })
}
