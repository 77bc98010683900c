import { ANSWERED, type CheckCounts, UNANSWERED, UNCHECKED } from '../../core/judging/scheduled-checks.ts'
import { ENTRY_KIND } from '../../core/sets/entry-kinds.ts'
import { MINUTE_MS } from '../../core/time.ts'
import { type Entry, type Exchange, isKeyframe } from '../recording/entry.ts'
import { latencyByte } from './latencies.ts'

/**
 * Size of a change's frame for a subscriber, not counting its data: the event's name, and an ID of eight characters
 * plus the `seq`, whose digits are counted separately. Line breaks in the data aren't counted: only an upstream's own
 * patch has any.
 */
const PATCH_FRAME_BYTES = 'event: patch\nid: 01234567.\ndata: \n\n'.length
const DATA_FRAME_BYTES = 'event: data\nid: 01234567.\ndata: \n\n'.length

/** Columns of `rollups` that are sums. */
export const SUMS = [
  'entries',
  'events',
  'polls',
  'errors',
  'compared',
  'changed',
  'not_modified',
  'wire_bytes',
  'body_bytes',
  'head_bytes',
  'plain_bytes',
  'gzip_bytes',
  'conditional_bytes',
  'patch_bytes',
  'frame_bytes',
  'deflated_bytes',
  'failures',
  'answered',
  'unanswered',
  'compared_ms',
  'changed_ms',
  'requests',
  'request_bytes',
  'failed_head_bytes',
  'redirect_bytes',
  'cache_hits',
  'fresh',
  'fresh_changed',
  'held_ms',
] as const

/** The entries of one stream in one minute, as columns of `rollups`. */
export interface MinuteSums extends Record<(typeof SUMS)[number], number> {
  first_seq: number
  last_seq: number
  /** One byte per response, in hex. */
  latencies: string
}

/** The part of an entry that is rolled up. */
export type Summed = Omit<Entry, 'streamId' | 'epoch' | 'exchange'> & {
  exchange?: Partial<Pick<Exchange, 'comparedMs' | 'isFresh' | 'isOutdated' | 'isCacheHit'>> & {
    request?: Pick<Exchange['request'], 'bytes' | 'count'>
    response?: Partial<Exchange['response']>
    redirects?: Pick<NonNullable<Exchange['redirects']>, 'bodyBytes'>
    checks?: CheckCounts
  }
}

/** Stored entries of one stream that aren't in `rollups` yet. */
export interface RollupDelta {
  /** Number of the last entry that is in `rollups`. */
  readonly after: number
  /** Number of the last entry counted here; `after` if there is none. */
  readonly upTo: number
  /** When that entry was written; `undefined` if it is unknown. */
  readonly lastAt?: number | undefined
  /** By the first instant of the minute, in milliseconds since the epoch. */
  readonly minutes: ReadonlyMap<number, MinuteSums>
}

/** @param lastAt when the entry with that number was written, if it belongs to the time that is held */
export function emptyDelta(after: number, lastAt?: number): RollupDelta {
  return { after, upTo: after, lastAt, minutes: new Map() }
}

/** The tally with more entries of its stream, in order. */
export function tallied(tally: RollupDelta, entries: readonly Summed[]): RollupDelta {
  const minutes = new Map(tally.minutes)
  const own = new Set<number>()
  let { lastAt } = tally
  for (const entry of entries) {
    const minute = Math.floor(entry.at / MINUTE_MS) * MINUTE_MS
    const known = minutes.get(minute)
    const sums = known !== undefined && own.has(minute) ? known : { ...(known ?? noSums(entry.seq)) }
    if (sums !== known) minutes.set(minute, sums)
    own.add(minute)
    count(sums, entry)
    sums.held_ms += heldMs(entry, lastAt)
    lastAt = entry.at
  }
  return { after: tally.after, upTo: entries.at(-1)?.seq ?? tally.upTo, lastAt, minutes }
}

/**
 * How long the stream was followed up to this entry: since the one before, or since the request of the first one. A gap ends
 * a time in which it wasn't.
 */
function heldMs({ kind, at, exchange }: Summed, lastAt: number | undefined): number {
  if (kind === 'gap') return 0
  return Math.round(lastAt === undefined ? (exchange?.response?.durationMs ?? 0) : Math.max(0, at - lastAt))
}

function count(sums: MinuteSums, entry: Summed): void {
  const { kind, seq, changed, exchange } = entry
  sums.first_seq = Math.min(sums.first_seq, seq)
  sums.last_seq = Math.max(sums.last_seq, seq)
  sums.entries++
  if (ENTRY_KIND[kind].isEvent && !isKeyframe(entry)) sums.events++
  if (ENTRY_KIND[kind].isPoll && exchange !== undefined) sums.polls++
  if (kind === 'error') sums.errors++
  if (isFailure(entry)) sums.failures++
  const [answered, unanswered] = exchange?.checks ?? usualChecks(entry)
  sums.answered += answered
  sums.unanswered += unanswered
  if (changed !== undefined) sums.compared++
  if (changed) sums.changed++
  countTimes(sums, entry)
  if (kind === 'exchange' && exchange?.response?.status === 304) sums.not_modified++
  sums.wire_bytes += entry.wireBytes
  sums.body_bytes += entry.bodyBytes
  sums.head_bytes += entry.headBytes ?? 0
  countTraffic(sums, entry)
  sums.plain_bytes += entry.plainBytes ?? 0
  sums.gzip_bytes += entry.gzipBytes ?? 0
  if (changed !== false) sums.conditional_bytes += entry.gzipBytes ?? 0
  const bytes = changed ? changeBytes(entry) : undefined
  if (bytes !== undefined) {
    sums.patch_bytes += bytes
    sums.frame_bytes += bytes + frameBytes(entry)
  }
  sums.deflated_bytes += entry.deflatedBytes ?? 0
  const durationMs = exchange?.response?.durationMs
  if (durationMs !== undefined) sums.latencies += latencyByte(durationMs)
}

/** What was sent, and which of the received bytes the baselines of polling leave out or have in addition. */
function countTraffic(sums: MinuteSums, { kind, headBytes = 0, exchange }: Summed): void {
  const { bytes = 0, count = 1 } = exchange?.request ?? {}
  if (bytes > 0) sums.requests += count
  sums.request_bytes += bytes
  if (kind === 'error') sums.failed_head_bytes += headBytes
  else sums.redirect_bytes += exchange?.redirects?.bodyBytes ?? 0
}

/** A failed attempt has a request; other errors are Weir's own. */
function isFailure({ kind, exchange }: Summed): boolean {
  return kind === 'error' && exchange !== undefined
}

/** Only a poll's answer has an end. */
function usualChecks(entry: Summed): CheckCounts {
  if (isFailure(entry)) return UNANSWERED
  const isPoll = ENTRY_KIND[entry.kind].isPoll && entry.exchange?.response?.durationMs !== undefined
  return isPoll ? ANSWERED : UNCHECKED
}

/** The real time between compared polls, and what caches could have answered. */
function countTimes(sums: MinuteSums, { changed, exchange }: Summed): void {
  if (changed !== undefined) sums.compared_ms += exchange?.comparedMs ?? 0
  if (changed) sums.changed_ms += exchange?.comparedMs ?? 0
  if (exchange?.isCacheHit) sums.cache_hits++
  if (!exchange?.isFresh) return
  sums.fresh++
  if (changed || exchange.isOutdated) sums.fresh_changed++
}

/** Bytes of a change as it is streamed: the patch, or the snapshot where that is smaller. */
export function changeBytes({
  kind,
  patchBytes,
  snapshotBytes,
  plainBytes,
}: Pick<Summed, 'kind' | 'patchBytes' | 'snapshotBytes' | 'plainBytes'>): number | undefined {
  if (kind === 'patch') return patchBytes
  if (kind === 'snapshot') return snapshotBytes
  return kind === 'exchange' ? plainBytes : undefined
}

function frameBytes({ kind, seq }: Summed): number {
  return String(seq).length + (kind === 'patch' ? PATCH_FRAME_BYTES : DATA_FRAME_BYTES)
}

function noSums(seq: number): MinuteSums {
  const sums = Object.fromEntries(SUMS.map((name) => [name, 0])) as Record<(typeof SUMS)[number], number>
  return { first_seq: seq, last_seq: seq, ...sums, latencies: '' }
}
