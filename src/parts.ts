import { join } from 'node:path'
import { Archive } from './archive/archive.ts'
import { Deliverer, type DeliveryTimes } from './channels/deliverer.ts'
import { Notifier } from './channels/notifier.ts'
import type { Context } from './context.ts'
import { causeOf, Problem } from './errors.ts'
import { SilenceWatch } from './incidents/silence-watch.ts'
import { SharedUpstreamRate } from './limits/shared-upstream-rate.ts'
import { UpstreamRate } from './limits/upstream-rate.ts'
import { EgressError } from './net/egress.ts'
import { Readiness } from './observe/readiness.ts'
import { ProxiedStreams } from './proxy/proxied.ts'
// biome-ignore lint/suspicious/noShadowRestrictedNames: the proxy that is served, as README and API call it; JavaScript's isn't used here
import { Proxy } from './proxy/proxy.ts'
import { requestOf } from './proxy/request.ts'
import { archiveLater } from './queue/archiving.ts'
import { streamControl } from './queue/control.ts'
import { deliveryControl as deliveryControlOf } from './queue/deliveries.ts'
import { checkWritable } from './queue/writable.ts'
import { LivePages } from './routes/live/live-pages.tsx'
import { refreshPages } from './routes/live/refresh.ts'
import { lastMigration } from './storage/migrations.ts'
import type { Day } from './storage/partitions.ts'
import type { Database } from './storage/storage.ts'
import { Hosts } from './streams/ingest/hosts.ts'
import { Pulse } from './streams/ingest/pulse.ts'
import { runStore } from './streams/ingest/run-store.ts'
import { expectationOf, Runner } from './streams/ingest/runner.ts'
import { LargeDocuments } from './streams/large/documents.ts'
import { storedEvents } from './streams/log/logs.ts'
import { Fanout } from './streams/recording/fanout.ts'
import { Recorder } from './streams/recording/recorder.ts'
import { isShared } from './streams/registry/visibility.ts'
import { RetryBudget } from './streams/requests/retry-budget.ts'
import { Tokens } from './streams/requests/tokens.ts'
import { secretInFile, Vault } from './streams/requests/vault.ts'

export type Parts = ReturnType<typeof buildParts>
type IngestParts = ReturnType<typeof ingestParts>

/** The parts that every process has, whatever its role. */
export function buildParts(context: Context, deliveryTimes: DeliveryTimes | undefined) {
  const parts = {
    ...ingestParts(context),
    ...notificationParts(context, deliveryTimes),
    ...storageParts(context),
  }
  return { ...parts, ...operationParts(context, parts) }
}

/** Ingest: runs streams, records their entries, and fans them out to subscribers. */
function ingestParts(context: Context) {
  const { config, warn, now, db, bus, queues, hub, counts } = context
  const control = streamControl({ queue: queues.streams, bus, warn })
  const large = new LargeDocuments()
  const recorder = recorderOf(context)
  const holder = holderOf(context, recorder, large)
  const status = { db, limits: config, now, heldRun: (id: string) => holder.run(id) }
  const pages = new LivePages({ ...status, hub, warn })
  const mayReach = reachOf(context)
  const proxied = new ProxiedStreams({ db, control, bus, mayReach })
  const upstreamRate = new SharedUpstreamRate(new UpstreamRate(config), counts)
  const proxy = new Proxy({ db, hub, bus, large, proxied, upstreamRate, now, warn })
  const fanout = new Fanout({ db, hub, bus, pages, proxy, warn })
  const parts = {
    ...status,
    control,
    large,
    recorder,
    holder,
    pages,
    mayReach,
    proxied,
    upstreamRate,
    proxy,
    fanout,
  }
  endIngest(context, parts)
  return parts
}

/** Adds the event subscriptions that belong to no part, and the steps to shut down ingest. */
function endIngest({ bus, closers, observation }: Context, parts: IngestParts): void {
  const { holder, fanout, recorder, large, pages, proxy, upstreamRate } = parts
  const hostOf = (id: string) => {
    const stream = holder.run(id)?.stream
    return stream && isShared(stream) ? URL.parse(stream.url)?.host : undefined
  }
  const counting = bus.subscribe('The metrics', {
    'entries.stored': ({ entries }) => entries && observation.recording.stored(entries, hostOf),
  })
  const refreshing = refreshPages(bus, pages)
  closers.add(() => counting.end())
  // Closed last: the recorder still publishes events while it closes.
  closers.add(() => fanout.close())
  closers.add(() => recorder.close())
  closers.add(() => large.close())
  closers.add(() => pages.close())
  closers.add(() => refreshing.end())
  closers.add(() => upstreamRate.close())
  closers.add(() => proxy.close())
}

function recorderOf({ config, warn, log, now, db, bus, observation: { recording } }: Context): Recorder {
  return new Recorder(db, (run) => expectationOf(run, config, now()), bus, {
    wrote: (tookMs, error) => recording.wrote(tookMs, error),
    failing: (error, waiting) => warn(`Can't store entries, ${waiting} are waiting: ${causeOf(error)}`),
    recovered: () => log.info('Entries are stored again.'),
  })
}

function holderOf(context: Context, recorder: Recorder, large: LargeDocuments): Runner {
  const { config, warn, now, random, db, bus, worker, egress, observation, address, closers } = context
  const pulse = new Pulse()
  closers.add(() => pulse.close())
  const silences = new SilenceWatch({ db, bus, now, warn })
  closers.add(() => silences.close())
  return new Runner({
    runs: runStore(db, worker, bus, large),
    ...{
      bus,
      warn,
      large,
      recorder,
      limits: config,
      now,
      random,
      hosts: new Hosts(now, random),
      retries: new RetryBudget(),
      tokens: new Tokens(now),
      ...vaultOf(context),
      pulse,
      silences,
    },
    fetch: observation.following(egress.fetch),
    connect: egress.connect,
    certificateOf: (url) => egress.certificates.of(url),
    mayBeKept: (url) => egress.mayBeKept(url),
    request: (stream) => requestOf(stream, { url: address.self, token: config.token }),
    storedEvents: (id, eventIds, range) => storedEvents(db, id, eventIds, range),
  })
}

/** What encrypts kept cookies. With a database elsewhere and without a key, cookies aren't stored. */
function vaultOf({ config }: Context): { vault?: Vault } {
  const { cookieKey, databaseUrl, dataDir } = config
  if (cookieKey !== undefined) return { vault: new Vault(() => cookieKey) }
  if (databaseUrl !== undefined) return {}
  return { vault: new Vault(() => secretInFile(join(dataDir, 'cookies.key'))) }
}

/** Notifications: channels and incidents. */
function notificationParts(context: Context, deliveryTimes: DeliveryTimes | undefined) {
  const { config, warn, now, random, db, bus, queues, egress, observation, address, closers } = context
  const deliveryControl = deliveryControlOf(queues.deliveries, warn)
  const notifier = new Notifier({ db, bus, control: deliveryControl, now })
  const deliverer = new Deliverer({
    ...{ db, bus, egress, now, random, times: deliveryTimes },
    attempted: (kind, sending) => observation.attempts.made(kind, sending),
  })
  closers.add(() => deliverer.close())
  const settings = {
    groupWaitMs: config.incidentWaitMs,
    remindMs: config.incidentRemindMs,
    egressCheckHosts: config.egressCheckHosts ?? [],
  }
  const incidents = { db, bus, now, notifier, url: () => address.self, settings }
  return { deliveryControl, notifier, deliverer, incidents }
}

/** Storage: the archive and retention. */
function storageParts({ config, warn, now, random, db, closers, queues, egress }: Context) {
  const runLater = archiveLater(queues.archive)
  // Only the archive may use the operator's S3 endpoint: this doesn't allow it for streams and channels.
  const way = config.s3Endpoint === undefined ? egress : egress.allowing(config.s3Endpoint)
  const archive = new Archive({
    ...{ db, config, runLater, now, random, warn },
    fetch: way.fetch,
  })
  closers.add(() => archive.close())
  const mayDrop = (tx: Database, day: Day) => archive.mayDrop(tx, day)
  const retention = { db, now, warn, bounds: config, mayDrop: config.s3Bucket ? mayDrop : undefined }
  return { archive, retention }
}

/** Readiness and metrics of this process. */
function operationParts(context: Context, { recorder, holder, proxy }: IngestParts) {
  const { config, db, damage, queues, hub, counts, observation, closers } = context
  const readiness = new Readiness({
    db,
    schema: lastMigration(),
    queue: config.role === 'web' ? undefined : queues.schedules,
    checkQueue: config.redisUrl ? async () => checkWritable(await queues.schedules) : undefined,
    damage,
    recorder: config.role === 'web' ? undefined : recorder,
  })
  closers.beforehand(async () => {
    if (readiness.closing() && config.drainMs > 0) await Bun.sleep(config.drainMs)
  })
  const scrape = observation.scrape({ db, hub, counts, recorder, holder, proxy, queues: queues.all })
  return { readiness, scrape }
}

/** A host that doesn't resolve now may resolve later; a forbidden one is refused at once. */
function reachOf({ egress }: Context) {
  return async (url: string): Promise<void> => {
    if (egress.isOpen) return
    try {
      await egress.check(url)
    } catch (error) {
      if (!(error instanceof EgressError)) throw error
      if (error.code === 'not_allowed') throw new Problem('not_allowed', error.message, 'url')
    }
  }
}
