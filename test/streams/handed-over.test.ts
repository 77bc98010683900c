import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { isSkipped, type OpenSetup, SETUPS } from '../support/setups.ts'
import { startSocketUpstream } from '../support/socket-upstream.ts'
import { until } from '../support/until.ts'
import { Feed, startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

const setup = SETUPS.find(({ name }) => name === 'Postgres') as (typeof SETUPS)[number]

/** An upstream of one kind. */
interface Sender {
  kind: string
  url: string
  readers(): number
  send(id: number): void
  stop(): Promise<void>
}

describe.skipIf(isSkipped(setup))('a stream that goes to another worker is stored once', () => {
  let services: OpenSetup
  let upstream: Upstream
  let web: TestWeir

  beforeAll(async () => {
    services = await setup.open()
    upstream = startUpstream()
    web = await startTestWeir({ ...services.environment, ROLE: 'web' })
  })

  afterAll(async () => {
    await web.close()
    await upstream.stop()
    await services.close()
  })

  const lines = (): Sender => {
    const feed = new Feed()
    const url = upstream.on('/lines', () => feed.response({ 'Content-Type': 'application/x-ndjson' }, '\n'))
    const send = (id: number) => feed.send(`{"id":${id}}\n`)
    return { kind: 'ndjson', url, readers: () => feed.readers, send, stop: async () => {} }
  }
  const socket = (): Sender => {
    const { url, sockets, send, stop } = startSocketUpstream()
    return { kind: 'websocket', url, readers: () => sockets.size, send: (id) => send(`{"id":${id}}`), stop }
  }

  test.each([
    ['ndjson', lines],
    ['websocket', socket],
  ])(
    '%s',
    async (_kind, open) => {
      const { kind, url, readers, send, stop } = open()
      const worker = () => startTestWeir({ ...services.environment, ROLE: 'worker' })
      const first = await worker()
      const { id } = await web.register({
        url,
        kind,
        messages: { idPointer: '/id', resume: 'after={lastEventId}' },
      })
      await until('the first worker follows it', () => readers() === 1)
      send(1)
      send(2)
      await web.entry(id, 'the events are logged', ({ eventId }) => eventId === '2')
      const second = await worker()
      await first.close()
      await until('the second worker follows it alone', () => readers() === 1)
      // What an upstream sends again is stored already; what follows it is new.
      send(2)
      send(3)
      await web.entry(id, 'the next event is logged', ({ eventId }) => eventId === '3')
      await second.close()
      await until('nobody follows it', () => readers() === 0)
      const log = (await web.logs(id)).filter((entry) => entry.kind !== 'exchange')
      expect(log.map((entry) => [entry.kind, entry.eventId])).toEqual([
        ['event', '1'],
        ['event', '2'],
        ['event', '3'],
      ])
      expect(new Set(log.map(({ epoch }) => epoch)).size).toBeGreaterThan(1)
      await stop()
    },
    60_000,
  )
})
