import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { entries } from '../../drizzle/schema.ts'
import type { Bus } from '../../src/bus/bus.ts'
import { parseConfig } from '../../src/config/config.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { Streams } from '../../src/streams/registry/streams.ts'
import { testBus } from '../support/bus.ts'
import { openStorage } from '../support/data-dir.ts'
import { connectBus, type LossyTransport, lossy, openTransport } from '../support/relay.ts'
import { isSkipped, type OpenSetup, SETUPS } from '../support/setups.ts'
import { until } from '../support/until.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

for (const setup of SETUPS.filter(({ name }) => name !== 'embedded')) {
  describe.skipIf(isSkipped(setup))(`a lost message of another process: ${setup.name}`, () => {
    let services: OpenSetup
    let upstream: Upstream
    let storage: Storage
    let weir: TestWeir
    /** The other process: its bus, its part of the line, and its streams. */
    let bus: Bus
    let transport: LossyTransport
    let streams: Streams
    let relay: { close(): Promise<void> }

    beforeAll(async () => {
      services = await setup.open()
      upstream = startUpstream()
      weir = await startTestWeir(services.environment)
      const config = parseConfig({ ...services.environment })
      storage = await openStorage(config)
      transport = lossy(await openTransport(services.environment, storage))
      bus = testBus()
      relay = connectBus(bus, transport, 'other')
      streams = new Streams({ db: storage.db, control: { runLater: async () => {} }, bus, limits: config })
    })

    afterAll(async () => {
      await relay.close()
      await storage.close()
      await weir.close()
      await services.close()
      await upstream.stop()
    })

    /** A stream that doesn't run, and how the other process stores one of its entries. */
    async function storedElsewhere() {
      const { id } = await weir.register({ url: `${upstream.url}/stopped`, kind: 'sse', start: false })
      const store = async (seq: number) => {
        const entry = { streamId: id, epoch: 1, seq, kind: 'event', wireBytes: 1, bodyBytes: 1 } as const
        await storage.db.insert(entries).values({ ...entry, at: new Date(), data: `"number ${seq}"` })
        bus.publish({ type: 'entries.stored', entries: [{ ...entry, at: Date.now() }] })
      }
      return { id, store }
    }

    /** Everything that an event stream sends. */
    async function follow(path: string) {
      const leaving = new AbortController()
      const response = await fetch(weir.url + path, { signal: leaving.signal })
      const shown = { text: '', leave: () => leaving.abort() }
      const reading = async () => {
        const decoder = new TextDecoder()
        for await (const chunk of response.body ?? []) shown.text += decoder.decode(chunk, { stream: true })
      }
      reading().catch(() => {})
      return shown
    }

    test('a subscriber gets entries whose announcement was lost, though no other follows', async () => {
      const { id, store } = await storedElsewhere()
      const subscriber = await follow(`/api/streams/${id}/events`)
      const before = transport.sent.length
      transport.lose('entries.stored')
      await store(1)
      await until('the first entry arrives', () => subscriber.text.includes('number 1'))
      await store(2)
      await until('the next one arrives', () => subscriber.text.includes('number 2'))
      expect(subscriber.text.split('event: entry')).toHaveLength(3)
      const sent = transport.sent.slice(before)
      expect(sent.filter(({ message }) => message.type === 'entries.stored')).toHaveLength(2)
      subscriber.leave()
    })

    test('an open page of a stream shows them too', async () => {
      const { id, store } = await storedElsewhere()
      const page = await follow(`/streams/${id}/live?after=0`)
      await until('the page is up to date', () => page.text.includes('id="status"'))
      transport.lose('entries.stored')
      await store(1)
      await until('the entry is shown', () => page.text.includes('id="entry-1"'))
      page.leave()
    })

    test('a run follows its stream as it was changed', async () => {
      const asked: string[] = []
      for (const path of ['/old', '/new']) {
        upstream.on(path, () => {
          asked.push(path)
          const body = new ReadableStream({ start: (stream) => stream.enqueue('data: {}\n\n') })
          return new Response(body, { headers: { 'Content-Type': 'text/event-stream' } })
        })
      }
      const { id } = await weir.register({ url: `${upstream.url}/old`, kind: 'sse' })
      await until('the old address was asked', () => asked.includes('/old'))
      transport.lose('run.interrupt')
      await streams.change(id, { url: `${upstream.url}/new` })
      await until('the new address is asked', () => asked.includes('/new'))
      transport.lose('run.interrupt')
      await streams.stop(id)
      await until('the run has ended', async () => {
        const { run } = await weir.json<{ run?: unknown }>(`/api/streams/${id}/status`)
        return run === undefined || run === null
      })
    })
  })
}
