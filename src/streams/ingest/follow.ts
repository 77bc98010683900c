import { withCheck } from '../../core/judging/checks.ts'
import { excerptOf } from '../../core/judging/failure.ts'
import { type CheckCounts, differ, UNANSWERED, UNCHECKED } from '../../core/judging/scheduled-checks.ts'
import { DEAD_AFTER_MS, type Evidence } from '../../core/judging/status.ts'
import type { GapReason } from '../../core/sets/gap-reasons.ts'
import { STREAM_KIND } from '../../core/sets/stream-kinds.ts'
import type { EgressConnect } from '../../net/egress.ts'
import type { LargeDocuments } from '../large/documents.ts'
import type { SeqRange, StoredEvent } from '../log/logs.ts'
import type { Exchange } from '../recording/entry.ts'
import type { RetryBudget } from '../requests/retry-budget.ts'
import type { Tokens } from '../requests/tokens.ts'
import type { Vault } from '../requests/vault.ts'
import type { Differ } from './follow-document.ts'
import type { Hosts } from './hosts.ts'
import type { Pulse } from './pulse.ts'
import type { Run, RunLog, Stream } from './run.ts'
import type { Limits, UpstreamError, UpstreamFetch, UpstreamRequest } from './upstream.ts'

type LastError = NonNullable<Evidence['lastError']>

/** Dependencies of the followers. */
export interface FollowDeps {
  limits: Limits & {
    /** An event stream without data for longer than this is reconnected, in milliseconds. */
    silenceMs: number
    /** A stream may be dead this long after the first failure, in milliseconds. */
    deadAfterMs?: number
  }
  hosts: Hosts
  tokens?: Tokens
  vault?: Vault
  /** Default: retries aren't counted. */
  retries?: RetryBudget
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
  /** Opens the sockets of WebSockets. */
  connect?: EgressConnect
  /** The certificate that the host of a URL presented last. */
  certificateOf?(url: string): Evidence['certificate']
  /** Whether there may be a kept connection for a URL. Default: no. */
  mayBeKept?(url: string): boolean
  differ?: Differ
  /** Default: this process reads what arrives at once. */
  pulse?: Pick<Pulse, 'lagMs'>
  now(): number
  random(): number
}

/** Notes the certificate that a request has shown. */
export function noteCertificate({ stream, evidence }: Run, { certificateOf }: FollowDeps): void {
  const certificate = certificateOf?.(stream.url)
  if (certificate !== undefined) evidence.certificate = certificate
}

/** Notes the redirects before an answer. */
export function noteRedirects({ evidence }: Run, exchange: Exchange | undefined): void {
  evidence.redirects = exchange?.redirects?.hops
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
  evidence.checks = withCheck(evidence.checks, evidence.failures === 1 ? 'failed' : 'failed again', at)
  const { text, hash, isTruncated } = error.body ?? {}
  evidence.lastError = { ...saidBy(error), at }
  evidence.phase = 'waiting'
  evidence.phaseSince = at
  if (error.exchange?.redirects !== undefined) noteRedirects(run, error.exchange)
  const data = JSON.stringify({
    code: error.code,
    message: error.message,
    failures: evidence.failures,
    nextRetryAt: new Date(nextRetryAt).toISOString(),
    ...(error.lengthBytes && { bytes: error.lengthBytes }),
    ...(error.connection && { connection: error.connection }),
    ...(isTruncated && { bodyTruncated: true }),
    // Last, as it is when the log is read: a long one is stored apart.
    ...(text !== undefined && { body: text }),
  })
  const { wireBytes, headBytes, bodyBytes } = error
  const exchange = error.exchange && checked(error.exchange, checks, UNANSWERED)
  log.append({
    at,
    kind: 'error',
    wireBytes,
    bodyBytes,
    headBytes: headBytes || undefined,
    hash,
    data,
    exchange,
  })
  if (hasSpells(run)) log.stands(error.code === 'stalled' ? 'silent' : 'down', at)
  log.turned()
}

/**
 * A wait after a failure at `at`, cut so that the stream is tried again when it may be called dead: that takes a failure then.
 * @param waitMs the wait by backoff, in milliseconds
 */
export function untilDead(
  { stream, evidence }: Run,
  at: number,
  waitMs: number,
  { limits }: FollowDeps,
): number {
  const deadAfterMs = stream.deadAfterMs ?? limits.deadAfterMs ?? DEAD_AFTER_MS
  const leftMs = (evidence.failingSince ?? at) + deadAfterMs - at
  return leftMs > 0 ? Math.min(waitMs, leftMs) : waitMs
}

/** Counts a successful check: a poll, or an attempt to connect. */
export function passCheck({ evidence }: Run, at: number): void {
  evidence.checks = withCheck(evidence.checks, 'passed', at)
}

/** The rest of the last run's wait: never longer than that wait, whatever the clocks say. */
export function restOfWait({ evidence: { nextRetryAt = 0, lastError, ended } }: Run, nowMs: number): number {
  const beganAt = Math.max(lastError?.at ?? 0, ended?.at ?? 0)
  const wholeMs = nextRetryAt - (beganAt || nowMs)
  return Math.max(0, Math.min(nextRetryAt - nowMs, wholeMs))
}

/** A failure as the evidence has it, with the beginning of the answer's body. */
function saidBy(error: UpstreamError): Omit<LastError, 'at'> {
  const { code, message, body, exchange } = error
  const excerpt = body?.text && excerptOf(body.text)
  const httpStatus = code === 'bad_status' ? exchange?.response?.status : undefined
  return { code, message, httpStatus, ...(excerpt && { body: excerpt }) }
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
  const isKnown = run.judged?.status === 'live' || run.judged?.status === 'degraded'
  const turned = evidence.failures > 0 || evidence.phase !== 'open' || !isKnown
  if (evidence.failures > 0 || evidence.phase !== 'open') {
    evidence.phase = 'open'
    evidence.phaseSince = at
  }
  if (evidence.failures > 0) evidence.recoveredAt = at
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
