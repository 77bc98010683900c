import { planSchedules } from '../jobs/schedules.ts'
import { startWorkers, workerName } from '../jobs/workers.ts'
import { version } from '../package.json'
import { createApp } from './app.ts'
import { Channels } from './channels/channels.ts'
import type { DeliveryTimes } from './channels/deliverer.ts'
import { type Config, isLocalOnly } from './config.ts'
import { Hub } from './hub/hub.ts'
import { Egress } from './net/egress.ts'
import { SpanCalls } from './otlp/calls.ts'
import { followingParts, type Ground, keepingParts, openQueues, tellingParts, type Warn } from './parts.ts'
import { openQueueEngine } from './queue/open.ts'
import { openRelay } from './relay/open.ts'
import { openStorage } from './storage/open.ts'
import { makePartitions } from './storage/partitions.ts'
import { reconcile } from './streams/health.ts'
import { Streams } from './streams/streams.ts'
import { OwnOverlay } from './topology/own-overlay.ts'
import { Topology } from './topology/topology.ts'

/** A running Weir. */
export interface Weir {
  /** Where it listens; empty for a worker, which doesn't. */
  readonly url: string
  /** Where data and jobs lie, for people. */
  readonly description: string
  /** Lets go of every stream, then closes everything. */
  close(): Promise<void>
}

/** A connection idle for longer than this is closed, in seconds; event streams are exempt. */
const IDLE_SECONDS = 60

export interface StartOptions {
  /** For tests of what takes hours. */
  deliveryTimes?: DeliveryTimes
  /** Told as soon as it answers requests: workers and schedules begin after that. */
  listening?(url: string): void
}

/** Puts the parts together; `close` takes them apart in reverse. */
export async function startWeir(
  config: Config,
  warn: Warn,
  { deliveryTimes, listening }: StartOptions = {},
): Promise<Weir> {
  const closers: (() => unknown)[] = []
  const closing = (end: () => unknown) => void closers.push(end)
  const close = async () => {
    for (const end of closers.splice(0).reverse()) await end()
  }
  try {
    const storage = await openStorage(config)
    closing(() => storage.close())
    const { db } = storage
    const now = Date.now
    const missing = await makePartitions(db, now())
    if (missing.length > 0) warn(`Not made yet, their rows lie among the rest: ${missing.join(', ')}`)
    const engine = await openQueueEngine(config.redisUrl, storage)
    const queues = openQueues(engine, { warn, closing })
    const worker = workerName()
    const where = { storage: storage.description, jobs: engine.description }
    const hub = new Hub()
    closing(() => hub.close())
    const relay = await openRelay(config, storage, worker)
    closing(() => relay.close())
    const egress = new Egress({ allowHosts: config.allowHosts ?? [], isOpen: isLocalOnly(config) })
    let url = ''
    const self = () => config.publicUrl?.replace(/\/$/, '') ?? (url || `http://localhost:${config.port}`)

    const ground: Ground = { config, warn, now, db, closing, queues, hub, relay, egress, worker, self }
    const following = followingParts(ground)
    const { status, touched, control, work } = following
    const telling = tellingParts(ground, touched, deliveryTimes)
    const parts = { ...status, ...following, ...telling, ...keepingParts(ground) }

    if (config.role !== 'worker') {
      const { mayReach } = parts
      const topology = new Topology({ hub, db, writer: worker, now, warn })
      closing(() => topology.close())
      await topology.load()
      const spanCalls = new SpanCalls({ report: (report) => topology.report(report), warn })
      closing(() => spanCalls.close())
      const ownParts = new OwnOverlay({
        db,
        hub,
        topology,
        now,
        warn,
        hasArchive: config.s3Bucket !== undefined,
      })
      closing(() => ownParts.close())
      const app = await createApp({
        ...parts,
        ...{ hub, self, version, warn, topology, spanCalls, config },
        running: { ...where, worker, startedAt: new Date(now()) },
        refreshTopology: () => ownParts.refresh(),
        streams: new Streams({ db, control, limits: config, mayReach, fetch: egress.fetch }),
        channels: new Channels({ db, egress, now }),
        queues: Object.values(queues),
        token: config.token,
        proxyOrigins: config.proxyOrigins ?? [],
      })
      const server = listen(app, config)
      closing(() => server.stop(true))
      url = `http://${config.host === '127.0.0.1' ? 'localhost' : config.host}:${server.port}`
      listening?.(url)
    }
    if (config.role !== 'web') {
      const { streamsPerWorker, proxyLingerMs } = config
      const workers = await startWorkers({ ...parts, engine, worker, warn, streamsPerWorker, proxyLingerMs })
      work.workers = workers
      closing(() => workers.close())
    }
    await planSchedules(queues.schedules)
    await reconcile(db, control, now())
    return { url, description: `Data: ${storage.description}. Jobs: ${engine.description}.`, close }
  } catch (error) {
    await close()
    throw error
  }
}

function listen(app: Awaited<ReturnType<typeof createApp>>, { port, host }: Config) {
  return Bun.serve({
    port,
    hostname: host,
    // By default a second server on the port would silently take half of the traffic.
    reusePort: false,
    idleTimeout: IDLE_SECONDS,
    fetch: (request, server) => {
      app.server = server
      return app.fetch(request)
    },
  })
}
