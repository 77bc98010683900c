import type { Entry } from '../streams/recording/entry.ts'

/** A range of a stream's entries: the first and last `seq`. */
export type Span = readonly [streamId: string, first: number, last: number]
/** A run that started, and its epoch. */
export type StartedRun = readonly [streamId: string, epoch: number]

/**
 * An event in Weir, published after the commit by the code that makes the change. An event without a payload means
 * that something of its kind may have changed: subscribers read the current state again.
 *
 * `src/relay/carry.ts` decides which events other processes receive, `src/routes/live/refresh.ts` which pages
 * refresh.
 */
export type WeirEvent =
  /** Entries are durable, in the order of each log. */
  | ({ type: 'entries.stored' } & Stored)
  /** Entries stored by another process, read here because their stream has subscribers in this process. */
  | { type: 'entries.read'; entries: readonly Entry[] }
  /** Status, evidence, rollups or definition of these streams changed. */
  | { type: 'stream.updated'; streamIds: readonly string[] }
  /** A subscriber of a stream has its entries up to `seq` and needs all later ones. */
  | { type: 'stream.watched'; streamId: string; seq: number }
  /** Streams were added or removed. */
  | { type: 'list.changed' }
  /** Runs started: older runs of these streams must end. */
  | { type: 'run.started'; runs: readonly StartedRun[] }
  /** These streams were stopped, changed or removed: their runners read the desired state again. */
  | { type: 'run.interrupt'; streamIds: readonly string[] }
  /** Runs of this process that, according to the database, should stop. */
  | { type: 'run.unwanted'; streamIds: readonly string[] }
  /** Jobs for streams were added to the queue, or released. */
  | { type: 'job.enqueued' }
  /**
   * A channel was added, changed, suspended, resumed or removed, or one of its deliveries was stored, attempted or
   * removed.
   */
  | { type: 'channel.updated' }
  /** Incidents were evaluated, notified, acknowledged or removed. */
  | { type: 'incident.updated' }
  /** A silence was added, changed or removed. */
  | { type: 'silence.updated' }
  /** A rule was added, changed or removed. */
  | { type: 'rule.updated' }
  /** A key was added or revoked. */
  | { type: 'key.updated' }
  /** A browser signed out. */
  | { type: 'session.ended' }
  /**
   * Events of other processes may have been missed: the relay was down, lost one, or another process didn't send anything
   * until now. Whoever depends on such events reads from the database.
   */
  | { type: 'relay.restored' }

/** The process that stored the entries has them in full, the others only their `seq` ranges. */
type Stored =
  | { entries: readonly Entry[]; spans?: undefined }
  | { entries?: undefined; spans: readonly Span[] }

export type EventType = WeirEvent['type']
export type EventOf<T extends EventType> = Extract<WeirEvent, { type: T }>
