import type { ConnectionCounts, ConnectionEnd } from '../sets/connection-ends.ts'
import type { OtherContent } from '../sets/contents.ts'
import { STATUS, type Status } from '../sets/statuses.ts'
import { isPushed, STREAM_KIND, type StreamKind } from '../sets/stream-kinds.ts'
import { DAY_MS, HOUR_MS } from '../time.ts'
import { type Checks, type DegradedLimits, degradation } from './checks.ts'
import type { Numbering } from './continuity.ts'
import { failureText } from './failure.ts'
import type { Refusals } from './refusals.ts'
import type { Resumes } from './resumes.ts'
import type { OpenSpell } from './spell.ts'

/** A worker with a heartbeat older than this, in milliseconds, no longer counts as running the stream. */
export const HELD_WITHIN_MS = 20_000
/** An event stream without an event for longer than this, in milliseconds, is `quiet`. */
export const QUIET_AFTER_MS = 5 * 60_000
/** A connection after a failure counts as such once it has lasted this long, in milliseconds, even without data. */
const SETTLED_MS = 10_000
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
  /** When the last answer was received: if it isn't the stream's last one, nothing is known of that. */
  of: number
  /** Omitted if the headers don't say. */
  lifetimeMs?: number
  until?: number
  /** The document has changed since: a cache would have an outdated one. */
  isOutdated?: true
}

/** A redirect: its status, and where it leads, without what could be a key. */
export interface Hop {
  status: number
  to: string
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
  /** What the last answer was, if it was no document (`poll`). */
  content?: OtherContent
  /** Failed attempts since the last success. */
  failures: number
  /** First of those failures. */
  failingSince?: number
  /** Redirects before the last answer; omitted if there were none. */
  redirects?: readonly Hop[]
  /** First success after the last failures. */
  recoveredAt?: number
  /** Outcomes of the last checks. */
  checks?: Checks
  /** First failure of the spell in which it is degraded; omitted when it isn't. */
  degradedSince?: number
  /**
   * When the next attempt is due: after a failure, while the host is paused by a `Retry-After` to another stream, or
   * after a connection ended.
   */
  nextRetryAt?: number
  /** When and how the last connection ended that didn't fail, and how long it had lasted (`sse`). */
  ended?: { at: number; by: ConnectionEnd; lastedMs?: number }
  /** Attempts to connect, and what became of them (`sse`). */
  connections?: ConnectionCounts
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
  /** The certificate that the URL's host presented last; times in milliseconds since the epoch. */
  certificate?: { expiresAt: number; issuer: string; seenAt: number }
  /** How the connection stands; omitted before the first attempt (`sse`). */
  spell?: OpenSpell
  /** Retries of the host's daily budget (`poll`); omitted before the first. */
  retries?: RetryUse
  /** Deliveries with a wrong signature (`push`). */
  refused?: Refusals
  /** The last beat that an attempt decided (`poll`). */
  checkedAt?: number
  /** Last failure, kept after recovery. */
  lastError?: {
    code: string
    message: string
    at: number
    httpStatus?: number
    /** The beginning of the answer's body, in one line; omitted if it had none. */
    body?: string
  }
}

/** How a stream and its host stand with their budget of retries. */
export interface RetryUse {
  /** The day that it counts (UTC), in days since the epoch. */
  day: number
  /** Retries of this stream. */
  count: number
  /** What its process has left for the host. */
  left: number
}

/** What makes a stream dead, or degraded. */
export interface StatusLimits extends DegradedLimits {
  /** It is dead after this many failures in a row … Default: 3. */
  deadAfterFailures?: number
  /** … and this long after the first of them, in milliseconds, whichever is later. Weir keeps retrying. Default: a minute. */
  deadAfterMs?: number
}

export const DEAD_AFTER_FAILURES = 3
export const DEAD_AFTER_MS = 60_000

/** The input to judging in addition to the evidence. */
export interface Expectation extends StatusLimits {
  kind: StreamKind
  desired: 'running' | 'stopped' | 'idle'
  /** Last heartbeat of the worker that runs the stream; omitted when none does. */
  heldAt?: number
  /** Poll interval, in milliseconds. */
  intervalMs: number
  /** Request timeout, in milliseconds. */
  timeoutMs: number
  /** An event stream without a byte, or a push stream without a delivery, for longer than this, in milliseconds, is `stalled`. */
  silenceMs: number
}

export interface Judgement {
  status: Status
  /** Why, as one sentence for people. */
  reason: string
  /** When the trouble began, milliseconds since the epoch: with the first failure, not when it had lasted for long enough. */
  since?: number
  /** {@link Evidence.degradedSince} from now on. */
  degradedSince?: number
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
  if (isPushed(expected.kind)) return judgeDeliveries(evidence, expected, nowMs)
  if (expected.heldAt === undefined) return { status: 'stalled', reason: 'Waiting for a worker.' }
  if (nowMs - expected.heldAt > HELD_WITHIN_MS) {
    return {
      status: 'stalled',
      reason: `Its worker sent its last heartbeat ${span(nowMs - expected.heldAt)} ago.`,
    }
  }
  const degraded = degradation(evidence, expected, nowMs)
  const judged = judgeNow(evidence, expected, nowMs)
  if (degraded === undefined) return judged
  const degradedSince = degraded.since
  const isWorse = STATUS[judged.status].severity > STATUS['backing-off'].severity
  return isWorse ? { ...judged, degradedSince } : { status: 'degraded', ...degraded, degradedSince }
}

function judgeNow(evidence: Evidence, expected: Expectation, nowMs: number): Judgement {
  if (evidence.failures > 0 && !hasSettled(evidence, expected, nowMs))
    return judgeFailing(evidence, expected, nowMs)
  if (evidence.phase === 'waiting') return judgeWaiting(evidence, nowMs)
  const at = judgedAt(evidence, nowMs)
  const paused = pausedUntil(evidence, at)
  if (paused !== undefined) return paused
  return STREAM_KIND[expected.kind].isPolled
    ? judgePolls(evidence, expected, at)
    : judgeConnection(evidence, expected, at)
}

function judgeFailing(evidence: Evidence, expected: Expectation, nowMs: number): Judgement {
  const since = Math.min(evidence.failingSince ?? nowMs, nowMs)
  const failingMs = Math.max(0, failingUntil(evidence, expected, nowMs) - since)
  const why = evidence.lastError ? ` Last error: ${failureText(evidence.lastError)}` : ''
  const times = evidence.failures === 1 ? 'once' : `${evidence.failures} times`
  const reason = `Failed ${times} in ${span(failingMs)}.${why}`
  const { deadAfterFailures = DEAD_AFTER_FAILURES, deadAfterMs = DEAD_AFTER_MS } = expected
  const isDead = evidence.failures >= deadAfterFailures && failingMs >= deadAfterMs
  const isSilent = evidence.lastError?.code === 'stalled'
  return { status: isDead ? 'dead' : isSilent ? 'stalled' : 'backing-off', reason, since }
}

/** Whether a connection that has yet to bring anything has lasted: one that fell silent before has to bring something. */
function hasSettled(
  { phase, phaseSince, lastError }: Evidence,
  { kind }: Expectation,
  nowMs: number,
): boolean {
  const isOpen = phase === 'open' && !STREAM_KIND[kind].isPolled
  return isOpen && nowMs - phaseSince >= SETTLED_MS && lastError?.code !== 'stalled'
}

/** Until its last failure: neither the wait for the next attempt nor a connection without data yet says that it still fails. */
function failingUntil(
  { lastError, phase, phaseSince }: Evidence,
  { kind }: Expectation,
  nowMs: number,
): number {
  if (lastError !== undefined) return Math.min(lastError.at, nowMs)
  return phase === 'open' && !STREAM_KIND[kind].isPolled ? Math.min(phaseSince, nowMs) : nowMs
}

/** The host asked another stream to wait. */
function pausedUntil({ nextRetryAt = 0 }: Evidence, nowMs: number): Judgement | undefined {
  if (nextRetryAt <= nowMs) return undefined
  const reason = `Paused for ${span(nextRetryAt - nowMs)}: the host asked for it with Retry-After.`
  return { status: 'quiet', reason }
}

function judgeConnection(evidence: Evidence, expected: Expectation, nowMs: number): Judgement {
  if (evidence.phase !== 'open') return { status: 'quiet', reason: 'Connecting.' }
  const since = Math.max(evidence.lastByteAt ?? 0, evidence.phaseSince)
  const byteAgeMs = nowMs - since
  if (byteAgeMs > (evidence.silenceMs ?? expected.silenceMs)) {
    return { status: 'stalled', reason: `Connected, but no data for ${span(byteAgeMs)}.`, since }
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

/** Nobody is asked, so only the time since the last delivery counts; without an allowed silence, none is too long. */
function judgeDeliveries(evidence: Evidence, { silenceMs }: Expectation, nowMs: number): Judgement {
  const { lastEventAt, phaseSince } = evidence
  const since = Math.max(lastEventAt ?? 0, phaseSince)
  const ageMs = Math.max(0, nowMs - since)
  if (ageMs > silenceMs) {
    const reason = `No delivery for ${span(ageMs)}; one is expected every ${span(silenceMs)}.`
    return { status: 'stalled', reason, since: since + silenceMs }
  }
  if (lastEventAt === undefined) return { status: 'quiet', reason: 'Waiting for the first delivery.' }
  const isLive = nowMs - lastEventAt <= (Number.isFinite(silenceMs) ? silenceMs : QUIET_AFTER_MS)
  return {
    status: isLive ? 'live' : 'quiet',
    reason: `Last delivery ${span(Math.max(0, nowMs - lastEventAt))} ago.`,
  }
}

/** Between two connections, without a failure. */
function judgeWaiting(evidence: Evidence, nowMs: number): Judgement {
  const { lastEventAt = 0, nextRetryAt = 0, ended } = evidence
  const status = nowMs - lastEventAt > QUIET_AFTER_MS ? 'quiet' : 'live'
  if (nextRetryAt <= nowMs) return { status, reason: 'Reconnecting.' }
  const wait = span(nextRetryAt - nowMs)
  if (ended?.by === 'request') return { status, reason: `Reconnects in ${wait}, as the upstream asked.` }
  const why = WHY_WAITING[ended?.by ?? 'upstream']
  return { status, reason: `${why}; reconnects in ${wait}.` }
}

const WHY_WAITING = {
  upstream: 'The upstream closed the connection',
  reset: 'The connection broke',
  silence: 'The upstream was silent',
} as const

function judgePolls(evidence: Evidence, expected: Expectation, nowMs: number): Judgement {
  const { nextRetryAt = 0 } = evidence
  const dueMs = LATE_INTERVALS * expected.intervalMs + expected.timeoutMs
  const since = Math.max(evidence.lastPollAt ?? 0, evidence.phaseSince, nextRetryAt)
  const ageMs = nowMs - since
  if (ageMs > dueMs) return { status: 'stalled', reason: `No successful poll for ${span(ageMs)}.`, since }
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
