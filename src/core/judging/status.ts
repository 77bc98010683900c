import type { Status } from '../sets/statuses.ts'
import { STREAM_KIND, type StreamKind } from '../sets/stream-kinds.ts'
import { DAY_MS, HOUR_MS } from '../time.ts'
import type { Numbering } from './continuity.ts'
import type { Resumes } from './resumes.ts'

/** Failing for this long, in milliseconds, turns `backing-off` into `dead`. Weir keeps retrying. */
export const DEAD_AFTER_MS = 10 * 60_000
/** A worker with a heartbeat older than this, in milliseconds, no longer counts as running the stream. */
export const HELD_WITHIN_MS = 20_000
/** An event stream without an event for longer than this, in milliseconds, is `quiet`. */
export const QUIET_AFTER_MS = 5 * 60_000
/** Evidence of a stream whose state doesn't change is written this often, in milliseconds. */
export const EVIDENCE_EVERY_MS = 15_000
/** Additional delay until it is stored and read elsewhere, in milliseconds. */
const EVIDENCE_DELAY_MS = 5_000
/** Polls are late when the last good one is older than this many intervals plus the request timeout. */
const LATE_INTERVALS = 2

/** Phase of a run's connection to its upstream. */
export type Phase = 'idle' | 'connecting' | 'open' | 'waiting'

/** What the headers of a polled answer promise. Times in milliseconds. */
export interface Freshness {
  /** When the answer was received: if it isn't the last one, nothing is known of that. */
  of: number
  /** Omitted if the headers don't say. */
  lifetimeMs?: number
  until?: number
}

/** What a run has observed: the facts that a status is based on. Times are milliseconds since the epoch. */
export interface Evidence extends Numbering {
  phase: Phase
  /** When the phase started. */
  phaseSince: number
  /** Last byte from upstream, heartbeats and comments included. */
  lastByteAt?: number
  /**
   * Everything that the upstream sent until then was received, and is in the log or about to be (`sse`). Earlier than the
   * last byte, which may have waited to be read, or begun an event.
   */
  heardAt?: number
  /** Last comment of an event stream: upstreams use comments as heartbeats. */
  lastHeartbeatAt?: number
  /** Last event (`sse`) or changed document (`poll`). */
  lastEventAt?: number
  /** Last successful poll. */
  lastPollAt?: number
  /** Until when the answer of `lastPollAt` may be reused, and for how long its headers allow that (`poll`). */
  fresh?: Freshness
  /** Failed attempts since the last success. */
  failures: number
  /** First of those failures. */
  failingSince?: number
  /** When the next attempt is due: after a failure, or while the host is paused by a `Retry-After` to another stream. */
  nextRetryAt?: number
  /** Allowed silence of this connection, in milliseconds (`sse`): set, learned or default. */
  silenceMs?: number
  /** Consecutive connections that fell silent (`sse`). */
  silences?: number
  /** Longest recent wait between two chunks, in milliseconds, and since when waits are measured (`sse`). */
  rhythm?: { longestMs: number; since: number }
  /** Since when events may be missing; the gap is recorded before the next event (`sse`). */
  missedSince?: number
  /** When this evidence was stored; omitted for the run's own, which is always current. */
  writtenAt?: number
  /** Events that the upstream replayed, and that weren't stored twice (`sse`). */
  replayed?: number
  /** How far back in the log the upstream has ever begun to replay, in entries; left out before the first search (`sse`). */
  replayDepth?: number
  /** Outcomes of resuming after a break (`sse`). */
  resumes?: Partial<Resumes>
  /** Last failure, kept after recovery. */
  lastError?: { code: string; message: string; at: number }
}

/** The input to judging in addition to the evidence. */
export interface Expectation {
  kind: StreamKind
  desired: 'running' | 'stopped' | 'idle'
  /** Last heartbeat of the worker that runs the stream; omitted when none does. */
  heldAt?: number
  /** Poll interval, in milliseconds. */
  intervalMs: number
  /** Request timeout, in milliseconds. */
  timeoutMs: number
  /** An event stream without a byte for longer than this, in milliseconds, is `stalled`. */
  silenceMs: number
}

export interface Judgement {
  status: Status
  /** Why, as one sentence for people. */
  reason: string
}

/**
 * The time at which evidence can be judged. Stored evidence doesn't cover the time since it was written, so that time
 * only counts once a write is overdue.
 */
function judgedAt({ writtenAt }: Evidence, nowMs: number): number {
  if (writtenAt === undefined) return nowMs
  return Math.max(writtenAt, nowMs - EVIDENCE_EVERY_MS - EVIDENCE_DELAY_MS)
}

/** Reasons for streams that shouldn't run. */
export const RESTING = {
  stopped: 'Stopped on request.',
  idle: 'No subscribers. The next one starts it.',
} as const

/** Derives the status from evidence. Pure: the same facts at the same time give the same status. */
export function judge(evidence: Evidence, expected: Expectation, nowMs: number): Judgement {
  if (expected.desired !== 'running') return { status: 'stopped', reason: RESTING[expected.desired] }
  if (expected.heldAt === undefined) return { status: 'stalled', reason: 'Waiting for a worker.' }
  if (nowMs - expected.heldAt > HELD_WITHIN_MS) {
    return {
      status: 'stalled',
      reason: `Its worker sent its last heartbeat ${span(nowMs - expected.heldAt)} ago.`,
    }
  }
  if (evidence.failures > 0) return judgeFailing(evidence, nowMs)
  const at = judgedAt(evidence, nowMs)
  return STREAM_KIND[expected.kind].isPolled
    ? judgePolls(evidence, expected, at)
    : judgeConnection(evidence, expected, at)
}

function judgeFailing(evidence: Evidence, nowMs: number): Judgement {
  const failingMs = nowMs - (evidence.failingSince ?? nowMs)
  const why = evidence.lastError ? ` Last error: ${evidence.lastError.message}` : ''
  const times = evidence.failures === 1 ? 'once' : `${evidence.failures} times`
  const text = `Failed ${times} in ${span(failingMs)}.${why}`
  if (failingMs >= DEAD_AFTER_MS) return { status: 'dead', reason: text }
  return { status: evidence.lastError?.code === 'stalled' ? 'stalled' : 'backing-off', reason: text }
}

function judgeConnection(evidence: Evidence, expected: Expectation, nowMs: number): Judgement {
  if (evidence.phase !== 'open') return { status: 'quiet', reason: 'Connecting.' }
  const byteAgeMs = nowMs - Math.max(evidence.lastByteAt ?? 0, evidence.phaseSince)
  if (byteAgeMs > (evidence.silenceMs ?? expected.silenceMs)) {
    return { status: 'stalled', reason: `Connected, but no data for ${span(byteAgeMs)}.` }
  }
  if (evidence.lastEventAt === undefined) {
    return { status: 'quiet', reason: 'Connected; no events yet.' }
  }
  const eventAgeMs = nowMs - evidence.lastEventAt
  if (eventAgeMs > QUIET_AFTER_MS) {
    return { status: 'quiet', reason: `Connected; last event ${span(eventAgeMs)} ago.` }
  }
  return { status: 'live', reason: `Last event ${span(eventAgeMs)} ago.` }
}

function judgePolls(evidence: Evidence, expected: Expectation, nowMs: number): Judgement {
  const { nextRetryAt = 0 } = evidence
  if (nextRetryAt > nowMs) {
    const reason = `Paused for ${span(nextRetryAt - nowMs)}: the host asked for it with Retry-After.`
    return { status: 'quiet', reason }
  }
  const dueMs = LATE_INTERVALS * expected.intervalMs + expected.timeoutMs
  const ageMs = nowMs - Math.max(evidence.lastPollAt ?? 0, evidence.phaseSince, nextRetryAt)
  if (ageMs > dueMs) return { status: 'stalled', reason: `No successful poll for ${span(ageMs)}.` }
  if (evidence.lastPollAt === undefined) return { status: 'quiet', reason: 'First poll in progress.' }
  return { status: 'live', reason: `Last poll ${span(nowMs - evidence.lastPollAt)} ago.` }
}

/** A duration for people: its largest unit, rounded down. */
export function span(ms: number): string {
  if (ms < 1_000) return 'under 1 s'
  if (ms < 60_000) return `${Math.floor(ms / 1_000)} s`
  if (ms < HOUR_MS) return `${Math.floor(ms / 60_000)} min`
  if (ms < 2 * DAY_MS) return `${Math.floor(ms / HOUR_MS)} h`
  return `${Math.floor(ms / DAY_MS)} days`
}
