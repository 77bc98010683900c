import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import type { Bus } from '../../src/bus/bus.ts'
import type { WeirEvent } from '../../src/bus/events.ts'
import { parseConfig } from '../../src/config/config.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { heardOn, testBus } from '../support/bus.ts'
import { openStorage } from '../support/data-dir.ts'
import { connectBus, type LossyTransport, lossy, openTransport } from '../support/relay.ts'
import { isSkipped, type OpenSetup, SETUPS } from '../support/setups.ts'
import { until } from '../support/until.ts'

for (const setup of SETUPS.filter(({ name }) => name !== 'embedded')) {
  describe.skipIf(isSkipped(setup))(setup.name, () => {
    let services: OpenSetup
    let storage: Storage
    let one: Process
    let other: Process

    interface Process {
      bus: Bus
      transport: LossyTransport
      heard: WeirEvent[]
      close(): Promise<void>
    }

    beforeAll(async () => {
      services = await setup.open()
      storage = await openStorage(parseConfig({ ...services.environment }))
    })

    afterAll(async () => {
      await storage.close()
      await services.close()
    })

    beforeEach(async () => {
      one = await open('one')
      other = await open('other')
      await until('both have introduced themselves', () =>
        [one, other].every(({ transport: { sent } }) =>
          sent.some(({ message }) => isPresence(message, false)),
        ),
      )
    })

    afterEach(async () => {
      await Promise.all([one.close(), other.close()])
    })

    async function open(name: string): Promise<Process> {
      const bus = testBus()
      const transport = lossy(await openTransport(services.environment, storage))
      const heard = heardOn(bus, 'list.changed', 'stream.updated', 'job.enqueued', 'relay.restored')
      const { close } = connectBus(bus, transport, `${name}-${Bun.randomUUIDv7()}`)
      return { bus, transport, heard, close }
    }

    const restored = ({ heard }: Process) => heard.filter(({ type }) => type === 'relay.restored').length

    test('a lost message is noticed when the next one arrives, and once', async () => {
      one.bus.publish({ type: 'list.changed' })
      await until('the first one arrives', () => other.heard.length === 1)
      one.transport.lose('list.changed')
      one.bus.publish({ type: 'list.changed' })
      one.bus.publish({ type: 'job.enqueued' })
      await until('the loss is noticed', () => restored(other) > 0)
      await until('the beacon has come', () => one.transport.sent.at(-1)?.message.type === 'process.present')
      one.bus.publish({ type: 'list.changed' })
      await until('the last one arrives', () => other.heard.at(-1)?.type === 'list.changed')
      const types = other.heard.map(({ type }) => type)
      expect(types).toEqual(['list.changed', 'job.enqueued', 'relay.restored', 'list.changed'])
      expect(restored(one)).toBe(0)
    })

    test('a lost last message is noticed although nothing else happens', async () => {
      one.transport.lose('list.changed')
      one.bus.publish({ type: 'list.changed' })
      await until('the loss is noticed', () => restored(other) > 0)
      expect(other.heard).toEqual([{ type: 'relay.restored' }])
    })

    test('nothing counts as lost while many messages arrive, long ones in parts', async () => {
      const streamIds = Array.from({ length: 2_500 }, () => Bun.randomUUIDv7())
      for (let times = 0; times < 20; times++) {
        for (const { bus } of [one, other]) {
          bus.publish({ type: 'stream.updated', streamIds })
          for (let more = 0; more < 10; more++) bus.publish({ type: 'job.enqueued' })
        }
        await until('the last one arrives', () => jobs(one) === jobs(other) && jobs(one) === 20 * (times + 1))
      }
      const beaconsOf = ({ transport: { sent } }: Process) =>
        sent.filter(({ message }) => isPresence(message, false))
      const before = [one, other].map((process) => beaconsOf(process).length)
      await until('the beacons have come', () =>
        [one, other].every((process, index) => beaconsOf(process).length > (before[index] as number)),
      )
      one.bus.publish({ type: 'list.changed' })
      other.bus.publish({ type: 'list.changed' })
      await until('both are done', () =>
        [one, other].every(({ heard }) => heard.filter(({ type }) => type === 'list.changed').length === 2),
      )
      expect([restored(one), restored(other)]).toEqual([0, 0])
    })

    const jobs = ({ heard }: Process) => heard.filter(({ type }) => type === 'job.enqueued').length
  })
}

function isPresence(message: { type: string; isNew?: boolean }, isNew: boolean): boolean {
  return message.type === 'process.present' && message.isNew === isNew
}
