import type { Workers } from '../jobs/workers.ts'
import { Archive } from './archive/archive.ts'
import { Deliverer, type DeliveryTimes } from './channels/deliverer.ts'
import { Notifier } from './channels/notifier.ts'
import type { Config } from './config.ts'
import { causeOf, Problem } from './errors.ts'
import type { Hub } from './hub/hub.ts'
import { UpstreamRate } from './limits/upstream-rate.ts'
import { type Egress, EgressError } from './net/egress.ts'
import type { Observation } from './observe/observation.ts'
import { ProxiedStreams } from './proxy/proxied.ts'
// biome-ignore lint/suspicious/noShadowRestrictedNames: the proxy that is served, as README and API call it; JavaScript's isn't used here
import { Proxy } from './proxy/proxy.ts'
import { requestOf } from './proxy/request.ts'
import { archiveLater } from './queue/archiving.ts'
import { streamControl } from './queue/control.ts'
import { deliveryControl as deliveryControlOf } from './queue/deliveries.ts'
import { ARCHIVE_QUEUE, DELIVERIES_QUEUE, SCHEDULES_QUEUE, STREAMS_QUEUE } from './queue/names.ts'
import type { QueueEngine } from './queue/open.ts'
import type { Relay, RelayMessage } from './relay/relay.ts'
import { Touches } from './relay/touches.ts'
import { LivePages } from './routes/live/live-pages.tsx'
import type { Day } from './storage/partitions.ts'
import type { Database } from './storage/storage.ts'
import { expectationOf, Holder } from './streams/ingest/holder.ts'
import { Hosts } from './streams/ingest/hosts.ts'
import { runStore } from './streams/ingest/run-store.ts'
import { LargeDocuments } from './streams/large/documents.ts'
import { storedEvents } from './streams/log/logs.ts'
import { Fanout } from './streams/recording/fanout.ts'
import { Recorder } from './streams/recording/recorder.ts'
import { isShared } from './streams/registry/visibility.ts'
import type { Subject } from './topics.ts'

/** Told of faults that no caller hears about. */
export type Warn = (message: string, error?: unknown) => void

/** What every part stands on. */
export interface Ground {
  config: Config
  warn: Warn
  now(): number
  db: Database
  /** Adds what ends a part; the last one is ended first. */
  closing(end: () => unknown): void
  queues: Queues
  hub: Hub
  relay: Relay
  egress: Egress
  /** Counts and traces what is done. */
  observation: Observation
  /** This process among the workers. */
  worker: string
  /** Where Weir is reached. */
  self(): string
}

export type Queues = ReturnType<typeof openQueues>

/** The queues, as soon as their engine is there; each says what goes wrong with it. */
export function openQueues(
  engine: Promise<QueueEngine>,
  { warn, closing }: Pick<Ground, 'warn' | 'closing'>,
) {
  const open = (name: string) => {
    const queue = engine.then((opened) => opened.queue(name).on('error', (error) => warn(error.message)))
    // Without an engine nothing is there to close; whoever asks for a queue is told why.
    const close = () =>
      queue.then(
        (opened) => opened.close(),
        () => {},
      )
    queue.catch(() => {})
    closing(close)
    return queue
  }
  return {
    streams: open(STREAMS_QUEUE),
    schedules: open(SCHEDULES_QUEUE),
    deliveries: open(DELIVERIES_QUEUE),
    archive: open(ARCHIVE_QUEUE),
  }
}

/** What holds streams, records them, and takes what was recorded to whoever watches. */
export function followingParts(ground: Ground) {
  const { config, warn, now, db, closing, queues, hub, relay, egress, observation, worker, self } = ground
  const { recording } = observation
  const hostOf = (id: string) => {
    const stream = holder.run(id)?.stream
    return stream && isShared(stream) ? URL.parse(stream.url)?.host : undefined
  }
  const recorder: Recorder = new Recorder(db, (run) => expectationOf(run, config, now()), {
    stored: (entries) => {
      recording.stored(entries, hostOf)
      fanout.stored(entries)
    },
    changed: (ids) => control.changed(ids),
    unwanted: (id) => holder.interrupt(id),
    wrote: (tookMs, error) => recording.wrote(tookMs, error),
    failing: (error, waiting) => warn(`Can't store entries, ${waiting} are waiting: ${causeOf(error)}`),
  })
  closing(() => recorder.close())
  const large = new LargeDocuments()
  closing(() => large.close())
  const holder = new Holder({
    runs: runStore(db, worker, (runs) => relay.publish({ type: 'begun', runs }), large),
    large,
    recorder,
    limits: config,
    now,
    random: Math.random,
    hosts: new Hosts(),
    fetch: observation.following(egress.fetch),
    request: (stream) => requestOf(stream, { url: self(), token: config.token }),
    storedEvents: (id, eventIds, range) => storedEvents(db, id, eventIds, range),
  })
  const status = { db, limits: config, now, heldRun: (id: string) => holder.run(id) }
  const pages = new LivePages({ ...status, hub, warn })
  closing(() => pages.close())
  const touches = new Touches({ relay, changed: (subject) => pages.views.changed(subject) })
  closing(() => touches.close())
  const touched = (subject: Subject) => touches.add(subject)
  const watch = (id: string, seq: number) => fanout.watch(id, seq)
  const follows = (id: string) => proxy.follows(id)
  const fanout: Fanout = new Fanout({
    ...{ db, hub, relay, pages, warn },
    proxy: { follows, stored: (entry) => proxy.stored(entry) },
  })
  closing(() => fanout.close())
  // Workers come last, and not in every process.
  const work: { workers: Workers | undefined } = { workers: undefined }
  const wanted = () => work.workers?.lookSoon()
  const interrupt = (id: string) => holder.interrupt(id)
  const control = streamControl({ queue: queues.streams, relay, wanted, interrupt, pages })
  const mayReach = reachOf(ground)
  const proxied = new ProxiedStreams(db, control, mayReach)
  const upstreamRate = new UpstreamRate(config)
  const proxy = new Proxy({ db, hub, large, proxied, upstreamRate, watch, now, warn })
  closing(() => proxy.close())
  relay.listen({ received: receiver({ holder, fanout, pages, wanted }), restored: () => fanout.catchUp() })
  return {
    status,
    recorder,
    holder,
    large,
    pages,
    touched,
    control,
    watch,
    mayReach,
    proxied,
    proxy,
    upstreamRate,
    work,
  }
}

/** What tells people. */
export function tellingParts(
  ground: Ground,
  touched: (subject: Subject) => void,
  deliveryTimes: DeliveryTimes | undefined,
) {
  const { config, warn, now, db, closing, queues, egress, observation, self } = ground
  const deliveryControl = deliveryControlOf(queues.deliveries, warn, () => touched('channels'))
  const notifier = new Notifier({ db, control: deliveryControl, now })
  const deliverer = new Deliverer({
    ...{ db, egress, now, random: Math.random, times: deliveryTimes },
    attempted: (kind, sending) => observation.attempts.made(kind, sending),
  })
  closing(() => deliverer.close())
  const settings = {
    groupWaitMs: config.incidentWaitMs,
    remindMs: config.incidentRemindMs,
    egressCheckHosts: config.egressCheckHosts ?? [],
  }
  const incidents = { db, now, notifier, url: self, settings }
  return { deliveryControl, notifier, deliverer, incidents }
}

/** What archives the log, and lets go of what is old. */
export function keepingParts({ config, warn, now, db, closing, queues, egress }: Ground) {
  const runLater = archiveLater(queues.archive)
  // The operator's own, for the archive alone: streams and channels may not go there for that.
  const way = config.s3Endpoint === undefined ? egress : egress.allowing(config.s3Endpoint)
  const archive = new Archive({
    ...{ db, config, runLater, now, random: Math.random, warn },
    fetch: way.fetch,
  })
  closing(() => archive.close())
  const mayDrop = (tx: Database, day: Day) => archive.mayDrop(tx, day)
  const retention = { db, now, warn, bounds: config, mayDrop: config.s3Bucket ? mayDrop : undefined }
  return { archive, retention }
}

/** A host that can't be looked up now may be there later; one that must not be reached is refused at once. */
function reachOf({ egress }: Ground) {
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
      case 'touched':
        for (const subject of message.subjects) pages.views.changed(subject)
        break
      case 'listed':
        pages.listed()
        break
      case 'wanted':
        wanted()
        break
      case 'here':
      case 'untold':
        // Of the line itself: presence answers them.
        break
    }
  }
}
