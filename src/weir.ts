import { planSchedules } from '../jobs/schedules.ts'
import { startWorkers, type Workers, workerName } from '../jobs/workers.ts'
import { version } from '../package.json'
import { createApp } from './app.ts'
import { Archive } from './archive/archive.ts'
import { Channels } from './channels/channels.ts'
import { Deliverer, type DeliveryTimes } from './channels/deliverer.ts'
import { Notifier } from './channels/notifier.ts'
import { type Config, isLocalOnly } from './config.ts'
import { causeOf, Problem } from './errors.ts'
import { Hub } from './hub/hub.ts'
import { Egress, EgressError } from './net/egress.ts'
import { Proxy } from './proxy/proxy.ts'
import { requestOf } from './proxy/request.ts'
import { archiveLater } from './queue/archiving.ts'
import { streamControl } from './queue/control.ts'
import { deliveryControl as deliveryControlOf } from './queue/deliveries.ts'
import { ARCHIVE_QUEUE, DELIVERIES_QUEUE, SCHEDULES_QUEUE, STREAMS_QUEUE } from './queue/names.ts'
import { openQueueEngine } from './queue/open.ts'
import { openRelay } from './relay/open.ts'
import type { RelayMessage } from './relay/relay.ts'
import { LivePages } from './routes/live-pages.tsx'
import { openStorage } from './storage/open.ts'
import { type Day, makePartitions } from './storage/partitions.ts'
import type { Database } from './storage/storage.ts'
import { Fanout } from './streams/fanout.ts'
import { reconcile } from './streams/health.ts'
import { expectationOf, Holder } from './streams/holder.ts'
import { Hosts } from './streams/hosts.ts'
import { storedEvents } from './streams/logs.ts'
import { ProxiedStreams } from './streams/proxied.ts'
import { Recorder } from './streams/recorder.ts'
import { runStore } from './streams/run-store.ts'
import { Streams } from './streams/streams.ts'
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

/** Told of faults that no caller hears about. */
export type Warn = (message: string, error?: unknown) => void

/** What is passed in for tests of what takes hours. */
export interface Replacements {
  deliveryTimes?: DeliveryTimes
}

/** Puts the parts together; `close` takes them apart in reverse. */
export async function startWeir(
  config: Config,
  warn: Warn,
  { deliveryTimes }: Replacements = {},
): Promise<Weir> {
  const closers: (() => unknown)[] = []
  const close = async () => {
    for (const end of closers.splice(0).reverse()) await end()
  }
  try {
    const storage = await openStorage(config)
    closers.push(() => storage.close())
    const engine = await openQueueEngine(config.redisUrl, storage)
    const queue = engine.queue(STREAMS_QUEUE)
    const schedules = engine.queue(SCHEDULES_QUEUE)
    const deliveries = engine.queue(DELIVERIES_QUEUE)
    const archiving = engine.queue(ARCHIVE_QUEUE)
    for (const each of [queue, schedules, deliveries, archiving]) {
      each.on('error', (error) => warn(error.message))
      closers.push(() => each.close())
    }

    const { db } = storage
    const now = Date.now
    const missing = await makePartitions(db, now())
    if (missing.length > 0) warn(`Not made yet, their rows lie among the rest: ${missing.join(', ')}`)
    const limits = config
    const worker = workerName()
    const hub = new Hub()
    closers.push(() => hub.close())
    const relay = await openRelay(config, storage, worker)
    closers.push(() => relay.close())
    const isOpen = isLocalOnly(config)
    const egress = new Egress({ allowHosts: config.allowHosts ?? [], isOpen })

    let url = ''
    const self = () => config.publicUrl?.replace(/\/$/, '') ?? (url || `http://localhost:${config.port}`)
    const recorder: Recorder = new Recorder(db, (run) => expectationOf(run, limits, now()), {
      stored: (entries) => fanout.stored(entries),
      changed: (ids) => control.changed(ids),
      unwanted: (id) => holder.interrupt(id),
      failing: (error, waiting) => warn(`Can't store, ${waiting} entries wait: ${causeOf(error)}`),
    })
    closers.push(() => recorder.close())
    const holder = new Holder({
      runs: runStore(db, worker, (runs) => relay.publish({ type: 'begun', runs })),
      recorder,
      limits,
      now,
      random: Math.random,
      hosts: new Hosts(),
      fetch: egress.fetch,
      request: (stream) => requestOf(stream, { url: self(), token: config.token }),
      storedEvents: (id, eventIds) => storedEvents(db, id, eventIds),
    })
    const status = { db, limits, now, heldRun: (id: string) => holder.run(id) }
    const pages = new LivePages({ ...status, hub, warn })
    closers.push(() => pages.close())
    const watch = (id: string, seq: number) => fanout.watch(id, seq)
    const fanout: Fanout = new Fanout({
      db,
      hub,
      relay,
      pages,
      proxy: {
        follows: (id) => proxy.follows(id),
        stored: (entry) => proxy.stored(entry),
      },
      warn,
    })
    closers.push(() => fanout.close())
    let workers: Workers | undefined
    const wanted = () => workers?.lookSoon()
    const control = streamControl({ queue, relay, wanted, interrupt: (id) => holder.interrupt(id), pages })
    const deliveryControl = deliveryControlOf(deliveries, warn)
    const notifier = new Notifier({ db, control: deliveryControl, now })
    const incidents = {
      db,
      now,
      notifier,
      url: self,
      settings: {
        groupWaitMs: config.incidentWaitMs,
        remindMs: config.incidentRemindMs,
        egressCheckHosts: config.egressCheckHosts ?? [],
      },
    }
    const deliverer = new Deliverer({ db, egress, now, random: Math.random, times: deliveryTimes })
    closers.push(() => deliverer.close())
    const runLater = archiveLater(archiving)
    const archive = new Archive({ db, config, runLater, now, random: Math.random, warn })
    closers.push(() => archive.close())
    const mayDrop = (tx: Database, day: Day) => archive.mayDrop(tx, day)
    const retention = { db, now, warn, bounds: config, mayDrop: config.s3Bucket ? mayDrop : undefined }
    const mayReach = async (url: string) => (isOpen ? undefined : checkReach(egress, url))
    const proxied = new ProxiedStreams(db, control, mayReach)
    const proxy = new Proxy({ db, hub, proxied, watch, now, warn })
    closers.push(() => proxy.close())
    relay.listen({ received: receiver({ holder, fanout, pages, wanted }), restored: () => fanout.catchUp() })

    if (config.role !== 'worker') {
      const streams = new Streams({ db, control, limits, mayReach, fetch: egress.fetch })
      const topology = new Topology({ hub })
      const { token, proxyOrigins = [] } = config
      const queues = [queue, schedules, deliveries, archiving]
      const channels = new Channels({ db, egress, now })
      const app = await createApp({
        ...status,
        watch,
        streams,
        channels,
        notifier,
        deliverer,
        deliveryControl,
        archive,
        retention,
        self,
        topology,
        proxy,
        hub,
        pages,
        queues,
        token,
        proxyOrigins,
        version,
        warn,
      })
      const server = listen(app, config)
      closers.push(() => server.stop(true))
      url = `http://${config.host === '127.0.0.1' ? 'localhost' : config.host}:${server.port}`
    }
    if (config.role !== 'web') {
      const { streamsPerWorker, proxyLingerMs } = config
      workers = await startWorkers({
        ...status,
        engine,
        holder,
        control,
        proxied,
        deliverer,
        deliveryControl,
        archive,
        incidents,
        retention,
        worker,
        warn,
        streamsPerWorker,
        proxyLingerMs,
      })
      closers.push(() => workers?.close())
    }
    await planSchedules(schedules)
    await reconcile(db, control, now())
    return { url, description: `Data: ${storage.description}. Jobs: ${engine.description}.`, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** A host that can't be looked up now may be there later; one that must not be reached is refused at once. */
async function checkReach(egress: Egress, url: string): Promise<void> {
  try {
    await egress.check(url)
  } catch (error) {
    if (!(error instanceof EgressError)) throw error
    if (error.code === 'not_allowed') throw new Problem('not_allowed', error.message, 'url')
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

interface ReceiverDeps {
  holder: Holder
  fanout: Fanout
  pages: LivePages
  wanted(): void
}

/** What is done with the messages of other processes. */
function receiver({ holder, fanout, pages, wanted }: ReceiverDeps) {
  return (message: RelayMessage) => {
    switch (message.type) {
      case 'interrupt':
        for (const id of message.ids) holder.interrupt(id)
        break
      case 'begun':
        for (const [id, epoch] of message.runs) holder.fence(id, epoch)
        break
      case 'stored':
        fanout.storedElsewhere(message)
        break
      case 'changed':
        pages.changed(message.ids)
        break
      case 'listed':
        pages.listed()
        break
      case 'wanted':
        wanted()
        break
    }
  }
}
