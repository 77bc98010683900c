import { type Estimate, rankOf } from './change/rate.ts'
import { encodeComment, encodeMessage, encodeRetry } from './sse.ts'
import { GZIP_STREAM_HEAD_BYTES, STREAM_HEAD_BYTES } from './stream-head.ts'
import { DAY_MS, HOUR_MS } from './time.ts'

/** Totals over a range of a stream's entries. Bytes, counts; `changed` ≤ `compared`. */
export interface Sums {
  /** Entries of every kind. */
  entries: number
  /** Events received (`sse`), patches and snapshots included. */
  events: number
  /** Successful requests (`poll`). */
  polls: number
  /** Entries of kind `error`. */
  errors: number
  /** Bodies or events that had a predecessor to compare with. */
  compared: number
  /** Those that differed from it. */
  changed: number
  /** Bytes received on the wire, before decompression. */
  wireBytes: number
  /** Body bytes after decompression. */
  bodyBytes: number
  /** Bytes of the changes as RFC 6902 patches, or snapshots if smaller. No change is 0 bytes. */
  patchBytes: number
}

/** Totals including what polling transferred, and what streaming would have transferred; 0 if nothing was polled. */
export interface PollSums extends Sums {
  /** Polls answered 304 Not Modified; ≤ `polls`. */
  notModified: number
  /** Status lines and headers of the answers, failed polls and redirects included. */
  headBytes: number
  /** Decoded bodies, one per poll; for a 304, the body it stands for. */
  plainBytes: number
  /** The same bodies compressed with gzip. */
  gzipBytes: number
  /** The first and the changed ones of these, compressed: every other would be a 304 without a body. */
  conditionalBytes: number
  /** The changes as SSE frames; ≥ `patchBytes`. */
  frameBytes: number
  /** The same frames, each compressed on its own. */
  deflatedBytes: number
  /** Failed attempts: polls and connections. */
  failures: number
  /** Scheduled polls that were answered, and those that weren't; a retry within an interval isn't scheduled. */
  answered: number
  unanswered: number
  /** Time between the compared polls, in milliseconds, and the part of it after which they had changed. */
  comparedMs: number
  changedMs: number
  /** Requests that were sent, redirects included, and the bytes of their heads and bodies. */
  requests: number
  requestBytes: number
  /** Heads of failed polls, which are in `headBytes`, and bodies of redirects of answered ones, which are in `wireBytes`. */
  failedHeadBytes: number
  redirectBytes: number
  /** Answers from a shared cache; polls while the last answer was still fresh, and those of them that had changed. */
  cacheHits: number
  fresh: number
  freshChanged: number
  /** How long the stream was followed between its entries, in milliseconds; 0 in rollups of older versions. */
  heldMs: number
}

/** Connections of hypothetical subscribers, one per stream in the totals. */
export interface Connected {
  /** Connected time, summed over the streams, in milliseconds. */
  connectedMs: number
  /** Connections started: one per stream, plus reconnects that needed a snapshot; those are a mean, so it may be a fraction. */
  connections: number
  /** Bytes of the snapshots at the start of these connections, without framing, plain and compressed. */
  snapshotBytes: number
  snapshotGzipBytes: number
}

/** What savings are calculated from. */
export const SAVINGS_SUMS = [
  ...(['polls', 'failures', 'compared', 'changed', 'wireBytes', 'headBytes'] as const),
  ...(['plainBytes', 'gzipBytes', 'conditionalBytes', 'patchBytes', 'frameBytes', 'deflatedBytes'] as const),
  ...(['requests', 'requestBytes', 'failedHeadBytes', 'redirectBytes'] as const),
] as const satisfies readonly (keyof PollSums)[]
export type SavingsSums = Pick<PollSums, (typeof SAVINGS_SUMS)[number]> & Connected

/** What polling transfers, bodies and heads, in three ways; in bytes. */
export interface Baselines {
  /** Every poll transfers the plain body. */
  plain: number
  /** Every poll transfers the compressed body. */
  gzip: number
  /** Compressed, and with validators: an unchanged body costs only a head. */
  conditional: number
}

/** The saved share of each baseline: at most 1, negative for a loss, `null` if the baseline is 0. */
export type Shares = { [Name in keyof Baselines]: number | null }

/** What streaming transfers to one permanently connected subscriber per stream; in bytes. */
export interface Streaming {
  /** The sum of the four below. */
  bytes: number
  /** Changes as SSE frames. */
  frameBytes: number
  heartbeatBytes: number
  /** Response heads, `retry` and the first snapshots. */
  connectBytes: number
  /** HTTP chunk framing, with each frame in its own chunk. */
  chunkBytes: number
}

export interface Savings {
  baselines: Baselines
  /** Plain, and for a subscriber that accepts gzip. */
  streaming: { plain: Streaming; gzip: Streaming }
  /** Uncompressed bytes beyond the changes themselves: `streaming.plain.bytes` − `patchBytes`. */
  overheadBytes: number
  /** Plain against plain; `gzip` and `conditional` against streaming with gzip. */
  clientBandwidthSavings: Shares
}

/** How often an idle event stream sends a heartbeat, in milliseconds. */
const HEARTBEAT_MS = 15_000
const HEARTBEAT_BYTES = encodeComment('heartbeat').byteLength
const RETRY_BYTES = encodeRetry(1_000).byteLength
/** The same two as compressed frames: too short to shrink. */
const HEARTBEAT_DEFLATED_BYTES = 19
const RETRY_DEFLATED_BYTES = 19
/** The header of a gzip stream, before its first frame. */
const GZIP_HEADER_BYTES = 10
/** Framing around a document; the ID is a stream's mark and a `seq`, here of seven digits. */
const SNAPSHOT_FRAME_BYTES = encodeMessage({ event: 'data', id: '01234567.1000000', data: '' }).byteLength
/** Line ends around a chunk's size and after its content. */
const CHUNK_LINE_ENDS_BYTES = 4

/** With fewer comparisons, no interval is suggested. */
const MIN_SAMPLES = 10
/** Intervals that people set, in milliseconds: from the shortest allowed to a week. */
const HUMAN_INTERVALS_MS = [
  ...[0.5, 1, 2, 5, 10, 15, 30].map((seconds) => seconds * 1_000),
  ...[1, 2, 5, 10, 15, 30].map((minutes) => minutes * 60_000),
  ...[1, 2, 3, 6, 12].map((hours) => hours * HOUR_MS),
  ...[1, 2, 7].map((days) => days * DAY_MS),
]

/**
 * How often a body differed from the one before: changed / compared, 0 to 1.
 * @returns `null` while nothing was compared.
 */
export function changeRate(sums: Pick<Sums, 'changed' | 'compared'>): number | null {
  return sums.compared === 0 ? null : sums.changed / sums.compared
}

/** How much of a stream is live, as StreamRank put it: 0 to 100, with its three shares, each 0 to 1. */
export interface StreamRank {
  /** The frequency of change on a logarithmic scale: 0 is once a day or rarer, 100 once a second or more often. */
  rank: number | null
  /** Number of comparisons behind it. */
  samples: number
  /** Share of the polls that found nothing new: requests that streaming saves. */
  time: number | null
  /** Share of the polled bytes that is not new. */
  size: number | null
  /** `rank` / 100. */
  change: number | null
}

/** Of the last 24 hours; `estimate` of the same time. */
export function streamRank(
  lastDay: Pick<PollSums, 'changed' | 'compared' | 'patchBytes' | 'plainBytes'>,
  estimate: Pick<Estimate, 'perMs'> | null,
): StreamRank {
  const rank = estimate && rankOf(estimate.perMs)
  const [rate, fresh] = [changeRate(lastDay), freshness(lastDay)]
  return {
    rank,
    samples: lastDay.compared,
    time: rate === null ? null : 1 - rate,
    size: fresh === null ? null : 1 - fresh,
    change: rank === null ? null : rank / 100,
  }
}

/**
 * The share of the polled bytes that is new: patch bytes / plain body bytes, 0 (nothing new) to 1 (all new).
 * @returns `null` while polls have returned nothing.
 */
export function freshness({
  patchBytes,
  plainBytes,
}: Pick<PollSums, 'patchBytes' | 'plainBytes'>): number | null {
  return plainBytes === 0 ? null : Math.min(1, patchBytes / plainBytes)
}

/**
 * The interval at which every other poll would find a change: ln 2 / λ, from 500 ms to a week, rounded to an interval that
 * people set.
 * @returns `null` below 10 comparisons, without a change, or if nearly every poll found one: then λ isn't known
 */
export function suggestInterval(
  estimate: Pick<Estimate, 'perMs' | 'perHour'> | null,
  samples: number,
): number | null {
  if (estimate === null || samples < MIN_SAMPLES || !estimate.perHour) return null
  return humanInterval(Math.LN2 / estimate.perMs)
}

/** What polling transfers, bodies and heads: one head per answered poll, and its redirects. */
export function baselines({
  headBytes,
  failedHeadBytes,
  redirectBytes,
  plainBytes,
  gzipBytes,
  conditionalBytes,
}: Pick<
  PollSums,
  'headBytes' | 'failedHeadBytes' | 'redirectBytes' | 'plainBytes' | 'gzipBytes' | 'conditionalBytes'
>): Baselines {
  const addedBytes = headBytes - failedHeadBytes + redirectBytes
  return {
    plain: plainBytes + addedBytes,
    gzip: gzipBytes + addedBytes,
    conditional: conditionalBytes + addedBytes,
  }
}

/** What streaming transfers; without `connections`, to subscribers that were connected before and stay connected. */
export function streaming(sums: Pick<PollSums, 'changed' | 'frameBytes'> & Connected): Streaming {
  const { frameBytes, connections, snapshotBytes } = sums
  return streamed(sums, frameBytes, HEARTBEAT_BYTES, {
    headBytes: STREAM_HEAD_BYTES,
    openingBytes: [RETRY_BYTES],
    snapshotFrameBytes: snapshotBytes + connections * SNAPSHOT_FRAME_BYTES,
  })
}

/** The same for subscribers that accept gzip: each frame is compressed on its own, so that none is held back. */
export function compressedStreaming(
  sums: Pick<PollSums, 'changed' | 'deflatedBytes'> & Connected,
): Streaming {
  const { deflatedBytes, connections, snapshotGzipBytes } = sums
  return streamed(sums, deflatedBytes, HEARTBEAT_DEFLATED_BYTES, {
    headBytes: GZIP_STREAM_HEAD_BYTES,
    openingBytes: [GZIP_HEADER_BYTES, RETRY_DEFLATED_BYTES],
    snapshotFrameBytes: snapshotGzipBytes + connections * SNAPSHOT_FRAME_BYTES,
  })
}

function streamed(
  { changed, connectedMs, connections }: Pick<PollSums, 'changed'> & Connected,
  frameBytes: number,
  beatBytes: number,
  connect: { headBytes: number; openingBytes: readonly number[]; snapshotFrameBytes: number },
): Streaming {
  const { headBytes, openingBytes, snapshotFrameBytes } = connect
  const heartbeats = heartbeatsIn(connectedMs)
  const heartbeatBytes = Math.round(heartbeats * beatBytes)
  const connectBytes = Math.round(connections * (headBytes + sum(openingBytes)) + snapshotFrameBytes)
  const chunkBytes = Math.round(
    chunkFraming(changed, frameBytes) +
      chunkFraming(heartbeats, heartbeats * beatBytes) +
      sum(openingBytes.map((bytes) => chunkFraming(connections, connections * bytes))) +
      chunkFraming(connections, snapshotFrameBytes),
  )
  const bytes = frameBytes + heartbeatBytes + connectBytes + chunkBytes
  return { bytes, frameBytes, heartbeatBytes, connectBytes, chunkBytes }
}

/** Heartbeats that a subscriber is sent while connected for that long; may be a fraction. */
export function heartbeatsIn(connectedMs: number): number {
  return connectedMs / HEARTBEAT_MS
}

/**
 * What one subscriber per stream saves by streaming, compared with each way of polling: 1 − streaming / baseline, both sides
 * plain, or both compressed. No change is larger than its body, so the loss against plain polling never exceeds
 * `overheadBytes` / baseline.
 * @returns `null` while no poll was answered.
 */
export function savings(sums: SavingsSums): Savings | null {
  if (sums.polls === 0) return null
  const polled = baselines(sums)
  const [plain, gzip] = [streaming(sums), compressedStreaming(sums)]
  return {
    baselines: polled,
    streaming: { plain, gzip },
    overheadBytes: plain.bytes - sums.patchBytes,
    clientBandwidthSavings: savedOf(polled, plain.bytes, gzip.bytes),
  }
}

/**
 * What an upstream saves when `subscribers` share Weir's polls instead of polling on their own: 1 − bytes of Weir's actual
 * polls / (subscribers × baseline).
 */
export function serverSavings(polled: Baselines, movedBytes: number, subscribers: number): Shares {
  const { plain, gzip, conditional } = polled
  const byAll = {
    plain: subscribers * plain,
    gzip: subscribers * gzip,
    conditional: subscribers * conditional,
  }
  return savedOf(byAll, movedBytes, movedBytes)
}

/** Steps of size and change, in milliseconds: from rollups of one minute. */
export const STEPS_MS = {
  minute: 60_000,
  hour: HOUR_MS,
  day: DAY_MS,
} as const
export type Step = keyof typeof STEPS_MS

/** 1 − transferred / baseline, with gzip wherever the baseline has it. */
export function savedOf(
  { plain, gzip, conditional }: Baselines,
  movedBytes: number,
  gzipMovedBytes: number,
): Shares {
  const saved = (baseline: number, moved: number) => (baseline === 0 ? null : 1 - moved / baseline)
  return {
    plain: saved(plain, movedBytes),
    gzip: saved(gzip, gzipMovedBytes),
    conditional: saved(conditional, gzipMovedBytes),
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}

/** What HTTP/1.1 adds to frames of that total size: per frame, the mean size in hex, and line ends. */
function chunkFraming(frames: number, bytes: number): number {
  if (frames === 0) return 0
  return frames * (Math.round(bytes / frames).toString(16).length + CHUNK_LINE_ENDS_BYTES)
}

/** The nearest interval that people set, by ratio. */
function humanInterval(ms: number): number {
  const distance = (humanMs: number) => Math.abs(Math.log(ms / humanMs))
  return HUMAN_INTERVALS_MS.reduce((best, humanMs) => (distance(humanMs) < distance(best) ? humanMs : best))
}
