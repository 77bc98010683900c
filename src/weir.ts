import { keepSchedules, planSchedules } from '../jobs/schedules.ts'
import type { Route } from './auth/access.ts'
import type { DeliveryTimes } from './channels/deliverer.ts'
import type { Config } from './config/settings.ts'
import { Closers, type Context, openContext, type Warn } from './context.ts'
import { causeOf } from './errors.ts'
import type { EgressDeps, Lookup } from './net/egress.ts'
import { faultsOnly, type Log } from './observe/log.ts'
import { buildParts, type Parts } from './parts.ts'
import { IDLE_SECONDS, servePages, serveProbes } from './serve.ts'
import { makePartitions } from './storage/partitions.ts'
import type { Storage } from './storage/storage.ts'
import { removeStrays } from './streams/registry/strays.ts'
import { reconcile } from './streams/status/health.ts'

/** How long closing what was opened may take if the start fails, in milliseconds: servers may not respond. */
const GIVE_UP_MS = 5_000

/** A running Weir. */
export interface Weir {
  /** Where it listens; empty for a worker. */
  readonly url: string
  /** Where data and jobs are stored, for display. */
  readonly description: string
  /** The patterns of all routes; none for a worker. */
  readonly routes: readonly Route[]
  /** Releases every stream, then closes everything. */
  close(): Promise<void>
}

export interface StartOptions {
  /** For tests of behavior that takes hours. */
  deliveryTimes?: DeliveryTimes
  /** In seconds. Default: {@link IDLE_SECONDS}. */
  idleSeconds?: number
  /** Resolves hosts, for tests of names that resolve to forbidden addresses. */
  lookup?: Lookup
  /** Default: those of this machine's interfaces. */
  own?: EgressDeps['own']
  /** Draws how long retries wait, among others. Default: `Math.random`. */
  random?: () => number
  /** Receives log lines. Default: only errors, passed to `warn`. */
  log?: Log
  /** The configured storage, if it is being opened already; Weir closes it. */
  storage?: Promise<Storage>
  /** Called as soon as it serves requests; queues, workers and schedules start after that. */
  listening?(url: string): void
}

/** Starts all parts; `close` closes them in reverse order. */
export async function startWeir(config: Config, warn: Warn, options: StartOptions = {}): Promise<Weir> {
  const { log = faultsOnly(warn), idleSeconds = IDLE_SECONDS, deliveryTimes, listening } = options
  const closers = new Closers()
  try {
    const context = await openContext(config, warn, closers, { ...options, log })
    const { address, queues, where } = context
    const parts = buildParts(context, deliveryTimes)
    const routes = config.role === 'worker' ? [] : await servePages(context, parts, idleSeconds)
    if (address.url !== '') listening?.(address.url)
    // Opened last, because no page needs them; callers that do wait until they are open.
    void queues.open()
    await createPartitions(context)
    if (config.role !== 'web') await runWorkers(context, parts)
    if (config.role === 'worker') serveProbes(context, parts, idleSeconds)
    await planSchedules(await queues.schedules)
    await reconcile(context.db, parts.control, context.now())
    if (config.role !== 'web') sweepStrays(context)
    parts.readiness.started()
    const description = `Data: ${where.storage}. Jobs: ${where.jobs}.`
    return { url: address.url, routes, description, close: () => closers.close() }
  } catch (error) {
    // What it failed with is what matters.
    await Promise.race([closers.close(error).catch(() => {}), Bun.sleep(GIVE_UP_MS)])
    throw error
  }
}

async function createPartitions({ db, now, warn }: Context): Promise<void> {
  const missing = await makePartitions(db, now())
  if (missing.length === 0) return
  warn(`Partitions not created yet, their rows go to the default partition: ${missing.join(', ')}`)
}

/** Whoever was killed while it removed streams is started again: here. Nothing waits for it. */
function sweepStrays({ db, warn, closers }: Context): void {
  const closing = new AbortController()
  const swept = removeStrays(db, closing.signal).catch((error) => {
    if (!closing.signal.aborted) warn(`Can't remove what is left of removed streams: ${causeOf(error)}`)
  })
  closers.add(() => {
    closing.abort()
    return swept
  })
}

async function runWorkers(
  { config, queues, bus, worker, warn, closers }: Context,
  parts: Parts,
): Promise<void> {
  const { streamsPerWorker, proxyLingerMs } = config
  const { startWorkers } = await import('../jobs/workers.ts')
  const workers = await startWorkers({
    ...{ ...parts, bus, engine: await queues.open(), worker, warn },
    ...{ streamsPerWorker, proxyLingerMs },
  })
  parts.readiness.workersStarted(workers)
  closers.add(() => workers.close())
  closers.add(keepSchedules(queues.schedules, warn))
}
