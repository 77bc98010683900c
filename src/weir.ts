import { planSchedules } from '../jobs/schedules.ts'
import { workerName } from '../jobs/worker-name.ts'
import { version } from '../package.json'
import { createApp } from './app.ts'
import type { Route } from './auth/access.ts'
import { openAccess } from './auth/open.ts'
import { Channels } from './channels/channels.ts'
import type { DeliveryTimes } from './channels/deliverer.ts'
import { type Config, isLocalOnly } from './config.ts'
import { Hub } from './hub/hub.ts'
import { Seats } from './hub/seats.ts'
import { Egress, type EgressDeps, type Lookup } from './net/egress.ts'
import { faultsOnly, type Log } from './observe/log.ts'
import { Observation } from './observe/observation.ts'
import { Readiness } from './observe/readiness.ts'
import type { Requests } from './observe/requests.ts'
import { SpanCalls } from './otlp/calls.ts'
import { followingParts, type Ground, keepingParts, openQueues, tellingParts, type Warn } from './parts.ts'
import { describeQueues, openQueueEngine } from './queue/open.ts'
import { openRelay } from './relay/open.ts'
import { doubtfulTarget } from './routes/http/request-target.ts'
import { harmless } from './routes/http/security-headers.ts'
import { createProbeApp } from './routes/operation/probes.ts'
import { MAX_IMPORT_BYTES } from './routes/transfer/transfer.ts'
import { lastMigration } from './storage/migrations.ts'
import { openStorage } from './storage/open.ts'
import { makePartitions } from './storage/partitions.ts'
import type { Storage } from './storage/storage.ts'
import { Streams } from './streams/registry/streams.ts'
import { reconcile } from './streams/status/health.ts'
import { OwnOverlay } from './topology/own/overlay.ts'
import { Topology } from './topology/topology.ts'

/** A running Weir. */
export interface Weir {
  /** Where it listens; empty for a worker, which doesn't. */
  readonly url: string
  /** Where data and jobs lie, for people. */
  readonly description: string
  /** Everything that it answers, as patterns of paths; none for a worker. */
  readonly routes: readonly Route[]
  /** Lets go of every stream, then closes everything. */
  close(): Promise<void>
}

/**
 * A connection on which a request's head or body is not all there by then, or whose reader takes nothing for so long,
 * is closed, in seconds; event streams are exempt.
 */
const IDLE_SECONDS = 60
/** No route takes more, in bytes: a form with the largest file to import. What each takes is its own bound, below. */
const MAX_BODY_BYTES = 2 * MAX_IMPORT_BYTES

export interface StartOptions {
  /** For tests of what takes hours. */
  deliveryTimes?: DeliveryTimes
  /** In seconds; left out: {@link IDLE_SECONDS}. */
  idleSeconds?: number
  /** Looks hosts up, for tests of names that lead where they must not. */
  lookup?: Lookup
  /** Left out: what this machine's interfaces have. */
  own?: EgressDeps['own']
  /** Told of requests and of what else is worth a line; left out: of faults alone, by `warn`. */
  log?: Log
  /** What the configuration names, where it is being opened already; it is closed here. */
  storage?: Promise<Storage>
  /** Told as soon as it answers requests: queues, workers and schedules begin after that. */
  listening?(url: string): void
}

/** Puts the parts together; `close` takes them apart in reverse. */
export async function startWeir(config: Config, warn: Warn, options: StartOptions = {}): Promise<Weir> {
  const { deliveryTimes, idleSeconds = IDLE_SECONDS, lookup, own, log = faultsOnly(warn) } = options
  const { storage: opening = openStorage(config), listening } = options
  const closers: (() => unknown)[] = []
  const closing = (end: () => unknown) => void closers.push(end)
  let readiness: Readiness | undefined
  // No page needs the queues, and reading BullMQ takes a fifth of a start: both wait until pages are answered.
  const answering = Promise.withResolvers<void>()
  const close = async () => {
    if (readiness?.closing() && config.drainMs > 0) await Bun.sleep(config.drainMs)
    for (const end of closers.splice(0).reverse()) await end()
  }
  try {
    const storage = await opening
    closing(() => storage.close())
    const { db } = storage
    const now = Date.now
    const engine = answering.promise.then(() => openQueueEngine(config.redisUrl, storage))
    const queues = openQueues(engine, { warn, closing })
    const worker = workerName()
    const observation = new Observation({ config, version, process: worker, log, now })
    closing(() => observation.close())
    const where = { storage: storage.description, jobs: describeQueues(config.redisUrl) }
    const seats = new Seats({
      perClient: config.maxSubscribersPerClient,
      inAll: config.maxSubscribers,
      countsLocal: config.given.has('MAX_SUBSCRIBERS_PER_CLIENT'),
    })
    const hub = new Hub(Math.random, seats)
    closing(() => hub.close())
    const relay = await openRelay(config, storage, worker)
    closing(() => relay.close())
    const egress = new Egress({
      allowHosts: config.allowHosts ?? [],
      isOpen: isLocalOnly(config),
      proxies: config.upstreamProxy && { ...config.upstreamProxy, bypass: config.upstreamNoProxy ?? [] },
      ...{ own, lookup },
    })
    let url = ''
    let routes: readonly Route[] = []
    const self = () => config.publicUrl?.replace(/\/$/, '') ?? (url || `http://localhost:${config.port}`)

    const ground: Ground = {
      config,
      warn,
      now,
      db,
      closing,
      queues,
      hub,
      relay,
      egress,
      observation,
      worker,
      self,
    }
    const following = followingParts(ground)
    const { status, touched, control, work } = following
    const telling = tellingParts(ground, touched, deliveryTimes)
    const parts = { ...status, ...following, ...telling, ...keepingParts(ground) }
    readiness = new Readiness({
      db,
      schema: lastMigration(),
      queue: config.role === 'web' ? undefined : queues.schedules,
      workersRun: () => work.workers?.areRunning(),
    })
    const scrape = observation.scrape({ ...parts, hub, queues: Object.values(queues) })
    const probes = { readiness, scrape, now }

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
      const { token, publicUrl } = config
      const access = openAccess({ db, token, publicUrl, subscribers: hub, now, warn })
      closing(() => access.close())
      const app = await createApp({
        ...parts,
        ...{ ...probes, hub, self, version, warn, topology, spanCalls, config },
        running: { ...where, worker, startedAt: new Date(now()) },
        refreshTopology: () => ownParts.refresh(),
        streams: new Streams({ db, control, limits: config, mayReach, fetch: egress.fetch }),
        channels: new Channels({ db, egress, now }),
        queues: Object.values(queues),
        access,
        proxyOrigins: config.proxyOrigins ?? [],
        fetch: egress.fetch,
      })
      const server = listen(app, { ...config, idleSeconds }, observation.requests)
      closing(() => server.stop(true))
      routes = app.routes.map(({ method, path }) => ({ method, path }))
      url = `http://${config.host === '127.0.0.1' ? 'localhost' : config.host}:${server.port}`
      listening?.(url)
    }
    answering.resolve()
    const missing = await makePartitions(db, now())
    if (missing.length > 0) warn(`Not made yet, their rows lie among the rest: ${missing.join(', ')}`)
    if (config.role !== 'web') {
      const { streamsPerWorker, proxyLingerMs } = config
      const { startWorkers } = await import('../jobs/workers.ts')
      const workers = await startWorkers({
        ...{ ...parts, engine: await engine, worker, warn },
        ...{ streamsPerWorker, proxyLingerMs },
      })
      work.workers = workers
      closing(() => workers.close())
    }
    if (config.role === 'worker' && config.opsPort !== undefined) {
      const access = openAccess({ db, token: config.token, now, warn })
      closing(() => access.close())
      const app = createProbeApp({ ...probes, access, config })
      const server = listen(app, { ...config, idleSeconds, port: config.opsPort }, observation.requests)
      closing(() => server.stop(true))
      log.info(`Probes and metrics are on port ${server.port}`)
    }
    await planSchedules(await queues.schedules)
    await reconcile(db, control, now())
    readiness.started()
    return { url, routes, description: `Data: ${where.storage}. Jobs: ${where.jobs}.`, close }
  } catch (error) {
    answering.reject(error)
    await close()
    throw error
  }
}

/** An app, as far as it is listened for. */
interface Listener {
  server: Bun.Server<unknown> | null
  fetch(request: Request): Response | Promise<Response>
}

function listen(
  app: Listener,
  { port, host, idleSeconds, publicUrl }: Config & { idleSeconds: number },
  requests: Requests,
) {
  const isEncrypted = publicUrl?.startsWith('https:') ?? false
  return Bun.serve({
    port,
    hostname: host,
    // By default a second server on the port would silently take half of the traffic.
    reusePort: false,
    idleTimeout: idleSeconds,
    maxRequestBodySize: MAX_BODY_BYTES,
    // Never Bun's own page for errors, which shows the source.
    development: false,
    fetch: async (request, server) => {
      const refused = doubtfulTarget(request)
      if (refused !== undefined) return refused
      app.server = server
      return requests.answer(request, async () => harmless(await app.fetch(request), isEncrypted))
    },
  })
}
