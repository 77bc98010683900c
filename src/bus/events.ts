import type { Entry } from '../streams/recording/entry.ts'

/** A stream's entries by number: the first and the last of them. */
export type Span = readonly [streamId: string, first: number, last: number]
/** A run that started, and its epoch. */
export type StartedRun = readonly [streamId: string, epoch: number]

/**
 * What happens in Weir. Published after the commit, by the code that makes the change. An event without a payload says that
 * something of its kind may have changed: whoever shows it reads it again.
 *
 * `src/relay/carry.ts` decides which of them other processes receive, `src/routes/live/refresh.ts` which pages refresh.
 */
export type WeirEvent =
  /** Entries are durable, in the order of each log. */
  | ({ type: 'entries.stored' } & Stored)
  /** Entries that another process stored, read here because somebody watches their stream. */
  | { type: 'entries.read'; entries: readonly Entry[] }
  /** Status, evidence, rollups or definition of these streams changed. */
  | { type: 'stream.updated'; streamIds: readonly string[] }
  /** Somebody watches a stream from now on, and has its entries up to `seq`. */
  | { type: 'stream.watched'; streamId: string; seq: number }
  /** Streams were added or removed. */
  | { type: 'list.changed' }
  /** Runs started: older ones of these streams end. */
  | { type: 'run.started'; runs: readonly StartedRun[] }
  /** These streams were stopped, changed or removed: whoever runs one reads its desired state again. */
  | { type: 'run.interrupt'; streamIds: readonly string[] }
  /** Runs of this process found out from the database that they should stop. */
  | { type: 'run.unwanted'; streamIds: readonly string[] }
  /** Jobs for streams were added to the queue, or freed. */
  | { type: 'job.enqueued' }
  /** A channel was added, changed, suspended, resumed or removed, or a delivery of one was stored, attempted or removed. */
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

/** The entries themselves in the process that stored them, only their numbers in the others. */
type Stored =
  | { entries: readonly Entry[]; spans?: undefined }
  | { entries?: undefined; spans: readonly Span[] }

export type EventType = WeirEvent['type']
export type EventOf<T extends EventType> = Extract<WeirEvent, { type: T }>
