/** What Weir concludes about a stream. */
export const VERDICTS = ['live', 'quiet', 'stalled', 'backing-off', 'dead', 'stopped'] as const
export type Verdict = (typeof VERDICTS)[number]

/** Failing for this long, in milliseconds, turns `backing-off` into `dead`. Weir goes on trying. */
export const DEAD_AFTER_MS = 10 * 60_000
/** A worker's sign of life older than this, in milliseconds, no longer counts as holding the stream. */
export const HELD_WITHIN_MS = 20_000
/** An event stream without an event for longer than this, in milliseconds, is `quiet`. */
export const QUIET_AFTER_MS = 5 * 60_000
/** Evidence of a stream that only goes on as it did is written this often, in milliseconds. */
export const EVIDENCE_EVERY_MS = 15_000
/** Until it is stored and read elsewhere, this much may pass beyond that, in milliseconds. */
const EVIDENCE_DELAY_MS = 5_000
/** Polls count as late when the last good one is older than this many intervals (and the request's own timeout). */
const LATE_INTERVALS = 2

/** Where a run stands with its upstream. */
export type Phase = 'idle' | 'connecting' | 'open' | 'waiting'

/** What a run has seen: the facts a verdict is drawn from. Times are milliseconds since the epoch. */
export interface Evidence {
  phase: Phase
  /** When the phase began. */
  phaseSince: number
  /** Last byte from upstream, heartbeats and comments included. */
  lastByteAt?: number
  /** Last comment of an event stream, which upstreams use as heartbeat. */
  lastHeartbeatAt?: number
  /** Last event (`sse`) or changed document (`poll`). */
  lastEventAt?: number
  /** Last poll that was answered as it should be. */
  lastPollAt?: number
  /** Failed attempts since the last success. */
  failures: number
  /** First of those failures. */
  failingSince?: number
  /** When the next attempt is due, while `waiting`. */
  nextRetryAt?: number
  /** Silence that this connection is allowed, in milliseconds (`sse`): set, learnt or by default. */
  silenceMs?: number
  /** Connections in a row that fell silent (`sse`). */
  silences?: number
  /** Longest wait between two chunks of late, in milliseconds, and since when waits are watched (`sse`). */
  rhythm?: { longestMs: number; since: number }
  /** How many upstream ids in a row each were one more than the last (`sse`). */
  consecutiveIds?: number
  /** Since when events may be missing that no gap tells of yet: it is told before the next event (`sse`). */
  missedSince?: number
  /** When this evidence was stored; left out where it is the run's own, which is always current. */
  writtenAt?: number
  /** Events that the upstream sent again and that were not stored twice (`sse`). */
  replayed?: number
  /** Last failure, kept after recovery. */
  lastError?: { code: string; message: string; at: number }
}

/** What a verdict needs to know beside the evidence. */
export interface Expectation {
  kind: 'sse' | 'poll'
  desired: 'running' | 'stopped' | 'idle'
  /** Last sign of life of the worker that holds the stream; left out when none does. */
  heldAt?: number
  /** Poll interval, in milliseconds. */
  intervalMs: number
  /** Longest wait for an answer, in milliseconds. */
  timeoutMs: number
  /** An event stream without a byte for longer than this, in milliseconds, is `stalled`. */
  silenceMs: number
}

export interface Judgement {
  verdict: Verdict
  /** Why, as one sentence for people. */
  reason: string
}

/**
 * The instant at which evidence can be judged. Stored evidence is silent about what came since it was written; only
 * when it should have been written again, and wasn't, is that a fact about the stream.
 */
function judgedAt({ writtenAt }: Evidence, nowMs: number): number {
  if (writtenAt === undefined) return nowMs
  return Math.max(writtenAt, nowMs - EVIDENCE_EVERY_MS - EVIDENCE_DELAY_MS)
}

/** Why a stream that should not run doesn't. */
export const RESTING = {
  stopped: 'Stopped on request.',
  idle: 'Nobody subscribes; the next subscriber starts it.',
} as const

/** Draws the verdict from evidence. Pure: the same facts at the same instant give the same verdict. */
export function judge(evidence: Evidence, expected: Expectation, nowMs: number): Judgement {
  if (expected.desired !== 'running') return { verdict: 'stopped', reason: RESTING[expected.desired] }
  if (expected.heldAt === undefined) return { verdict: 'stalled', reason: 'Waiting for a worker.' }
  if (nowMs - expected.heldAt > HELD_WITHIN_MS) {
    return { verdict: 'stalled', reason: `Its worker was last heard ${span(nowMs - expected.heldAt)} ago.` }
  }
  if (evidence.failures > 0) return judgeFailing(evidence, nowMs)
  const at = judgedAt(evidence, nowMs)
  return expected.kind === 'sse' ? judgeSse(evidence, expected, at) : judgePoll(evidence, expected, at)
}

function judgeFailing(evidence: Evidence, nowMs: number): Judgement {
  const failingMs = nowMs - (evidence.failingSince ?? nowMs)
  const why = evidence.lastError ? ` Last error: ${evidence.lastError.message}` : ''
  const times = evidence.failures === 1 ? 'once' : `${evidence.failures} times`
  const text = `Failed ${times} in ${span(failingMs)}.${why}`
  if (failingMs >= DEAD_AFTER_MS) return { verdict: 'dead', reason: text }
  return { verdict: evidence.lastError?.code === 'stalled' ? 'stalled' : 'backing-off', reason: text }
}

function judgeSse(evidence: Evidence, expected: Expectation, nowMs: number): Judgement {
  if (evidence.phase !== 'open') return { verdict: 'quiet', reason: 'Connecting.' }
  const byteAgeMs = nowMs - Math.max(evidence.lastByteAt ?? 0, evidence.phaseSince)
  if (byteAgeMs > (evidence.silenceMs ?? expected.silenceMs)) {
    return { verdict: 'stalled', reason: `Connected, but no byte for ${span(byteAgeMs)}.` }
  }
  if (evidence.lastEventAt === undefined) {
    return { verdict: 'quiet', reason: 'Connected; no event yet.' }
  }
  const eventAgeMs = nowMs - evidence.lastEventAt
  if (eventAgeMs > QUIET_AFTER_MS) {
    return { verdict: 'quiet', reason: `Connected and alive; last event ${span(eventAgeMs)} ago.` }
  }
  return { verdict: 'live', reason: `Last event ${span(eventAgeMs)} ago.` }
}

function judgePoll(evidence: Evidence, expected: Expectation, nowMs: number): Judgement {
  const dueMs = LATE_INTERVALS * expected.intervalMs + expected.timeoutMs
  const ageMs = nowMs - Math.max(evidence.lastPollAt ?? 0, evidence.phaseSince)
  if (ageMs > dueMs) return { verdict: 'stalled', reason: `No answer for ${span(ageMs)}.` }
  if (evidence.lastPollAt === undefined) return { verdict: 'quiet', reason: 'First poll under way.' }
  return { verdict: 'live', reason: `Last poll ${span(nowMs - evidence.lastPollAt)} ago.` }
}

/** A duration for people: its largest unit, rounded down. */
export function span(ms: number): string {
  if (ms < 1_000) return 'under 1 s'
  if (ms < 60_000) return `${Math.floor(ms / 1_000)} s`
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min`
  if (ms < 172_800_000) return `${Math.floor(ms / 3_600_000)} h`
  return `${Math.floor(ms / 86_400_000)} days`
}
