import { expect, test } from 'bun:test'
import { Notifier } from '../../src/channels/notifier.ts'
import { evaluateIncidents } from '../../src/incidents/evaluation/evaluate.ts'
import { SECRET, startReceiver } from '../channels/receiver.ts'
import { testBus } from '../support/bus.ts'
import { openStorage } from '../support/data-dir.ts'
import { isSkipped, SETUPS } from '../support/setups.ts'
import { until } from '../support/until.ts'
import { Feed, startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir } from '../support/weir.ts'

const POSTGRES = SETUPS.find(({ name }) => name === 'Postgres')
const HOSTS = 4
const STREAMS_A_HOST = 5
/** Retries wait for a tenth of what they may. */
const random = () => 0.1

test.skipIf(POSTGRES === undefined || isSkipped(POSTGRES))(
  'every real upstream dies at once and comes back: the webhook gets one message, then one more',
  async () => {
    const { weir, receiver, look, upstreams, restart, close } = await open()
    const received = () => receiver.received('/hook')
    try {
      await weir.send('POST', '/api/channels', {
        name: 'hook',
        kind: 'webhook',
        config: { url: receiver.take('/hook'), secret: SECRET },
        isDefault: true,
      })
      for (const upstream of upstreams) {
        for (let index = 0; index < STREAMS_A_HOST; index++) {
          await weir.register({
            url: `${upstream.url}/${index === 0 ? 'feed' : 'api'}?${index}`,
            kind: index === 0 ? 'sse' : 'poll',
            intervalMs: 500,
          })
        }
      }
      const all = HOSTS * STREAMS_A_HOST
      const up = async () => {
        const { statuses } = await weir.json<{ statuses: Record<string, number> }>('/api/status')
        return (statuses.live ?? 0) + (statuses.quiet ?? 0)
      }
      await until('all streams are up', async () => (await up()) === all)
      await look()
      await Promise.all(upstreams.map((upstream) => upstream.stop()))
      await until('people are told', async () => {
        await look()
        return received().length > 0
      })
      await restart()
      // From here on the Weir itself looks, every five seconds.
      await until('all streams are up again', async () => (await up()) === all)
      await until('people are told', () => received().length > 1)
      for (let index = 0; index < 20; index++) await look()
      const messages = received().map(({ body }) => JSON.parse(body) as { type: string; data: unknown })
      expect(messages.map(({ type }) => type)).toEqual(['incident.opened', 'incident.resolved'])
      expect(weir.warnings).toEqual([])
    } finally {
      await close()
    }
  },
  240_000,
)

/** A Weir on Postgres, and a second engine on the same database that looks whenever the test says so. */
async function open() {
  const services = await POSTGRES?.open()
  const receiver = startReceiver()
  let upstreams = Array.from({ length: HOSTS }, () => serve())
  const weir = await startTestWeir({ ...services?.environment, INCIDENT_WAIT_MS: '1000' }, { random })
  const storage = await openStorage({ databaseUrl: services?.environment.DATABASE_URL, dataDir: '' })
  const bus = testBus()
  const notifier = new Notifier({
    db: storage.db,
    bus,
    control: { deliverLater: () => {}, deliverAgain: () => {} },
    now: Date.now,
  })
  const settings = { groupWaitMs: 1_000, remindMs: 3_600_000, egressCheckHosts: [] }
  return {
    weir,
    receiver,
    upstreams,
    look: () =>
      evaluateIncidents({ db: storage.db, bus, now: Date.now, notifier, url: () => weir.url, settings }),
    async restart() {
      upstreams = upstreams.map(({ url }) => serve(Number(new URL(url).port)))
    },
    async close() {
      await weir.close()
      await storage.close()
      await Promise.all(upstreams.map((upstream) => upstream.stop()))
      await receiver.upstream.stop()
      await services?.close()
    },
  }
}

function serve(port = 0): Upstream {
  const upstream = startUpstream(port)
  let polls = 0
  upstream.on('/api', () => Response.json({ polls: polls++ }))
  upstream.on('/feed', () => new Feed().response({}, 'data: 1\n\n'))
  return upstream
}
