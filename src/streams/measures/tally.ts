import { type Entry, type EntryKind, isKeyframe } from '../recording/entry.ts'
import { latencyByte } from './latencies.ts'

/**
 * What a change takes as a subscriber's frame, beside its data: the event's name, and an id of eight characters and the
 * `seq`, whose digits are counted apart. Line ends in the data are not counted: only an upstream's own patch has any.
 */
const PATCH_FRAME_BYTES = 'event: patch\nid: 01234567.\ndata: \n\n'.length
const DATA_FRAME_BYTES = 'event: data\nid: 01234567.\ndata: \n\n'.length
const MINUTE_MS = 60_000
const EVENT_KINDS: ReadonlySet<EntryKind> = new Set(['event', 'snapshot', 'patch'])
const POLL_KINDS: ReadonlySet<EntryKind> = new Set(['exchange', 'snapshot', 'patch'])

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
] as const

/** What a minute's entries of one stream come to, as columns of `rollups`. */
export interface MinuteSums extends Record<(typeof SUMS)[number], number> {
  first_seq: number
  last_seq: number
  /** A byte an answer, in hex. */
  latencies: string
}

/** What of an entry is summed up. */
export type Summed = Omit<Entry, 'streamId' | 'epoch' | 'exchange'> & {
  exchange?: { response?: Partial<NonNullable<Entry['exchange']>['response']> }
}

/** What entries of one stream come to that are stored, but in no row of `rollups` yet. */
export interface Tally {
  /** Number of the last entry that is in one. */
  readonly after: number
  /** Number of the last entry counted here; `after` where there is none. */
  readonly upTo: number
  /** By the minute's first instant, in milliseconds since the epoch. */
  readonly minutes: ReadonlyMap<number, MinuteSums>
}

export function emptyTally(after: number): Tally {
  return { after, upTo: after, minutes: new Map() }
}

/** The tally with more entries of its stream, in their order. */
export function tallied(tally: Tally, entries: readonly Summed[]): Tally {
  const minutes = new Map(tally.minutes)
  const own = new Set<number>()
  for (const entry of entries) {
    const minute = Math.floor(entry.at / MINUTE_MS) * MINUTE_MS
    const known = minutes.get(minute)
    const sums = known !== undefined && own.has(minute) ? known : { ...(known ?? noSums(entry.seq)) }
    if (sums !== known) minutes.set(minute, sums)
    own.add(minute)
    count(sums, entry)
  }
  return { after: tally.after, upTo: entries.at(-1)?.seq ?? tally.upTo, minutes }
}

function count(sums: MinuteSums, entry: Summed): void {
  const { kind, seq, changed, exchange } = entry
  sums.first_seq = Math.min(sums.first_seq, seq)
  sums.last_seq = Math.max(sums.last_seq, seq)
  sums.entries++
  if (EVENT_KINDS.has(kind) && !isKeyframe(entry)) sums.events++
  if (POLL_KINDS.has(kind) && exchange !== undefined) sums.polls++
  if (kind === 'error') sums.errors++
  if (changed !== undefined) sums.compared++
  if (changed) sums.changed++
  if (kind === 'exchange' && exchange?.response?.status === 304) sums.not_modified++
  sums.wire_bytes += entry.wireBytes
  sums.body_bytes += entry.bodyBytes
  sums.head_bytes += entry.headBytes ?? 0
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

function changeBytes({ kind, patchBytes, snapshotBytes, plainBytes }: Summed): number | undefined {
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
