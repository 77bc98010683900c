import { type CheckCounts, differ, UNANSWERED, UNCHECKED } from '../../core/judging/scheduled-checks.ts'
import type { GapReason } from '../../core/sets/gap-reasons.ts'
import { STREAM_KIND } from '../../core/sets/stream-kinds.ts'
import type { LargeDocuments } from '../large/documents.ts'
import type { SeqRange, StoredEvent } from '../log/logs.ts'
import type { Exchange } from '../recording/entry.ts'
import type { Differ } from './follow-document.ts'
import type { Hosts } from './hosts.ts'
import type { Pulse } from './pulse.ts'
import type { Run, RunLog, Stream } from './run.ts'
import type { Limits, UpstreamError, UpstreamFetch, UpstreamRequest } from './upstream.ts'

/** Dependencies of the followers. */
export interface FollowDeps {
  limits: Limits & {
    /** An event stream without data for longer than this is reconnected, in milliseconds. */
    silenceMs: number
  }
  hosts: Hosts
  large: LargeDocuments
  /** The request that follows a stream: not always to its own URL. */
  request(stream: Stream): UpstreamRequest
  /** Which of these event IDs a stretch of the stream's log has. */
  storedEvents(
    streamId: string,
    eventIds: readonly string[],
    range: SeqRange,
  ): Promise<Map<string, StoredEvent>>
  /** Whether notifications about a stream were silenced at an instant. Default: never. */
  isSilenced?(stream: Stream, at: number): boolean
  fetch?: UpstreamFetch
  differ?: Differ
  /** Default: this process reads what arrives at once. */
  pulse?: Pick<Pulse, 'lagMs'>
  now(): number
  random(): number
}

/**
 * Records a failed attempt: an `error` entry, and the evidence that the next one is due later.
 * @param checks scheduled checks that it decided
 */
export function fail(
  run: Run,
  log: RunLog,
  error: UpstreamError,
  nextRetryAt: number,
  at: number,
  checks: CheckCounts = UNCHECKED,
): void {
  const { evidence } = run
  evidence.failures++
  evidence.failingSince ??= at
  evidence.nextRetryAt = nextRetryAt
  evidence.lastError = { code: error.code, message: error.message, at }
  evidence.phase = 'waiting'
  evidence.phaseSince = at
  const data = JSON.stringify({
    code: error.code,
    message: error.message,
    failures: evidence.failures,
    nextRetryAt: new Date(nextRetryAt).toISOString(),
  })
  const exchange = error.exchange && checked(error.exchange, checks, UNANSWERED)
  log.append({ at, kind: 'error', wireBytes: error.wireBytes, bodyBytes: 0, data, exchange })
  if (hasSpells(run)) log.stands(error.code === 'stalled' ? 'silent' : 'down', at)
  log.turned()
}

/** A request with the scheduled checks that it decided, unless they are the usual ones. */
export function checked<E extends Exchange>(exchange: E, checks: CheckCounts, usual: CheckCounts): E {
  return differ(checks, usual) ? { ...exchange, checks } : exchange
}

function hasSpells({ stream }: Run): boolean {
  return !STREAM_KIND[stream.kind].isPolled
}

/** Records a success. */
export function recover(run: Run, log: RunLog, at: number): void {
  const { evidence } = run
  const turned = evidence.failures > 0 || evidence.phase !== 'open' || run.judged?.status !== 'live'
  if (evidence.failures > 0 || evidence.phase !== 'open') {
    evidence.phase = 'open'
    evidence.phaseSince = at
  }
  evidence.failures = 0
  evidence.failingSince = undefined
  evidence.nextRetryAt = undefined
  if (hasSpells(run)) log.stands('up', at)
  if (turned) log.turned()
}

/**
 * Records that something may have been missed, from one instant to another. If the clock was set back in between, or is
 * behind that of the process before, only its end is known.
 * @param at when this was noticed, in milliseconds since the epoch
 */
export function recordGap(
  log: RunLog,
  reason: GapReason,
  { from, to }: { from: number; to: number },
  at: number,
  more: object = {},
): void {
  const span = { from: new Date(Math.min(from, to)).toISOString(), to: new Date(to).toISOString() }
  const data = JSON.stringify({ reason, ...span, ...more })
  log.append({ at, kind: 'gap', wireBytes: 0, bodyBytes: 0, data })
}
