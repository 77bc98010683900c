import { sha256 } from '../../core/documents/document.ts'
import { backoffMs, retryCapMs } from '../../core/judging/backoff.ts'
import { nextBeat } from '../../core/judging/beat.ts'
import { ANSWERED, ScheduledChecks } from '../../core/judging/scheduled-checks.ts'
import type { OtherContent } from '../../core/sets/contents.ts'
import { mediaTypeIn } from '../../core/sets/media-types.ts'
import { isGzip } from '../content/codings.ts'
import { type Content, contentOf } from '../content/content.ts'
import { conditionsOf, validatorsOf } from '../content/validators.ts'
import type { DocumentRefusal } from '../large/documents.ts'
import { DocumentFollower } from '../large/follower.ts'
import { compressedBytes as compressedSize } from '../large/jobs.ts'
import { observeCaching } from '../measures/observe-caching.ts'
import type { Draft, Exchange } from '../recording/entry.ts'
import { keepCookies, meansOfRun } from '../requests/means.ts'
import { patienceMs } from '../requests/second-attempt.ts'
import { ENDLESS_BODY } from './body.ts'
import {
  checked,
  type FollowDeps,
  fail,
  noteCertificate,
  noteRedirects,
  passCheck,
  recordGap,
  recover,
  restOfWait,
  untilDead,
} from './follow.ts'
import { afterKeyframe, type DocumentStep, keyframeDraft } from './follow-document.ts'
import type { Checkpoint, Followed, FollowedText, Run, RunLog, Stream } from './run.ts'
import {
  askUpstream,
  failedAnswer,
  failedBody,
  isEventStream,
  type Means,
  msLeft,
  readBody,
  statusError,
  type UpstreamAnswer,
  UpstreamError,
} from './upstream.ts'
import { waitUntil } from './wait.ts'

/** Text up to this many characters is kept in the log; of longer text, only hash and size. */
const LOGGED_TEXT_CHARS = 1_048_576
/**
 * From this interval on, in milliseconds, a poll opens a fresh connection: servers and balancers close an idle one after
 * 5 to 75 s, and NATs of clouds forget it after 4 to 6 min, without a word, although RFC 5382 allows no less than 2 h.
 * @see https://www.rfc-editor.org/rfc/rfc5382#section-5
 * @see https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-troubleshooting.html
 * @see https://learn.microsoft.com/en-us/azure/nat-gateway/nat-gateway-resource#idle-timeout-timers
 */
const FRESH_FROM_MS = 60_000
/** More than this many intervals without a poll are recorded in a `gap`. */
const MISSED_INTERVALS = 2
/** While a run goes on, a poll that is late by less than this, in milliseconds, is an ordinary delay and no `gap`. */
const LATE_MS = 5_000

/**
 * Bodies up to this many bytes are compressed synchronously, in less than a millisecond: handing them to another
 * thread takes longer. Larger bodies would block the other streams.
 */
const COMPRESSED_AT_ONCE_BYTES = 32_768

/**
 * Polls an API at its interval until the signal aborts. Polls start on a fixed beat, however long responses take; a
 * poll longer than its interval skips beats, so that polls never overlap.
 */
export async function followPoll(
  run: Run,
  log: RunLog,
  signal: AbortSignal,
  deps: FollowDeps,
): Promise<void> {
  const { stream, evidence } = run
  const follower = new DocumentFollower(stream, deps)
  const upstream: Known = { means: meansOfRun(run, deps) }
  const anchor = firstBeat(run, deps.now())
  const checks = new ScheduledChecks({
    anchorMs: anchor,
    intervalMs: stream.intervalMs,
    decidedAt: evidence.checkedAt,
    isSilenced: (at) => deps.isSilenced?.(stream, at) ?? false,
  })
  deps.retries?.restore(stream, evidence.retries, deps.now())
  let dueAt = evidence.failures > 0 ? deps.now() + restOfWait(run, deps.now()) : anchor
  evidence.phase = 'open'
  evidence.phaseSince = deps.now()
  if (mayHaveMissed(run, anchor, deps.now())) {
    recordGap(log, 'not_polled', { from: evidence.lastPollAt ?? anchor, to: anchor }, anchor)
  }
  /** When the last poll ended, however it did. */
  let polledAt = Math.min(evidence.lastPollAt ?? anchor, anchor)
  log.turned()
  while (await waitUntil(dueAt, signal, deps.now)) {
    const startedAt = deps.now()
    tellLate(stream, log, { from: polledAt, to: startedAt }, startedAt - dueAt)
    checks.begin(startedAt, dueAt)
    try {
      await pollOnce(run, log, { follower, upstream }, checks, signal, deps)
      passCheck(run, deps.now())
      checks.end(deps.now(), 'answered')
      recover(run, log, deps.now())
      dueAt = nextBeat(anchor, stream.intervalMs, deps.now())
    } catch (error) {
      if (signal.aborted) return
      if (!(error instanceof UpstreamError)) throw error
      const at = deps.now()
      const waitMs = backoffMs(evidence.failures + 1, deps.random, retryCapMs(stream.intervalMs))
      const retryAt = at + Math.max(untilDead(run, at, waitMs, deps), error.retryAfterMs ?? 0)
      dueAt = withinBudget(run, retryAt, nextBeat(anchor, stream.intervalMs, at), at, deps)
      fail(run, log, error, dueAt, at, checks.failed(at))
      checks.end(at, error.retryAfterMs === undefined ? 'failed' : 'asked')
    } finally {
      evidence.checkedAt = checks.decidedAt
      polledAt = deps.now()
      tellLate(
        stream,
        log,
        { from: startedAt, to: polledAt },
        polledAt - startedAt - deps.limits.requestTimeoutMs,
      )
    }
  }
}

/**
 * When a failing poll is due: at its retry, if that is before its next beat and the host's budget allows it, or else at
 * whichever is later.
 */
function withinBudget(
  { stream, evidence }: Run,
  retryAt: number,
  beatAt: number,
  nowMs: number,
  { retries }: FollowDeps,
): number {
  if (retries === undefined || retryAt >= beatAt) return retryAt
  const { isTaken, ...use } = retries.take(stream, nowMs)
  evidence.retries = use
  return isTaken ? retryAt : beatAt
}

/** An interval after the last poll, however wrong the clock was that it was timed with. */
function firstBeat({ stream: { intervalMs }, evidence: { lastPollAt = 0 } }: Run, nowMs: number): number {
  return Math.min(Math.max(lastPollAt + intervalMs, nowMs), nowMs + intervalMs)
}

/** Whether polls were skipped before this run, as far as the clocks of the processes agree. */
function mayHaveMissed({ stream, evidence: { lastPollAt } }: Run, anchor: number, nowMs: number): boolean {
  if (lastPollAt === undefined) return false
  return lastPollAt > nowMs || anchor - lastPollAt > MISSED_INTERVALS * stream.intervalMs
}

/**
 * Records skipped polls: the process was suspended, paused, stopped or starved, or waited too long for a slot at the
 * host.
 */
function tellLate(stream: Stream, log: RunLog, span: { from: number; to: number }, lateMs: number): void {
  if (lateMs > Math.max(MISSED_INTERVALS * stream.intervalMs, LATE_MS)) {
    recordGap(log, 'not_polled', span, span.to)
  }
}

/** What a run knows of its upstream. */
interface Known {
  readonly means: Means
  /** What the head of the last response took, in milliseconds; omitted before the first. */
  headMs?: number
  /** An answer on a kept connection broke off: the runtime can't read it, or the upstream doesn't keep connections well. */
  needsFresh?: true
}

async function pollOnce(
  run: Run,
  log: RunLog,
  { follower, upstream }: { follower: DocumentFollower; upstream: Known },
  checks: ScheduledChecks,
  signal: AbortSignal,
  deps: FollowDeps,
): Promise<void> {
  const { evidence, checkpoint } = run
  const { answer, body, wireBytes } = await fetchBody(run, log, { checks, upstream }, signal, deps)
  const at = deps.now()
  evidence.lastByteAt = at
  const { response, headBytes, redirectBytes } = answer
  const fresh = observeCaching(run, answer, at)
  const exchange = checked(answer.exchange, checks.answered(), ANSWERED)
  const notModified = response.status === 304
  const bodyHash = notModified ? checkpoint.bodyHash : sha256(body)
  const isSame = bodyHash === checkpoint.bodyHash
  const sizes = await sizesAskedAgain(answer, body, wireBytes, isSame ? checkpoint : {}, (content) =>
    compressedBytes(content, 'gzip', signal, deps),
  )
  const moved = { wireBytes: wireBytes + redirectBytes, bodyBytes: body.byteLength, headBytes }
  const base = { at, ...moved, ...sizes, exchange }
  const validators: Partial<Checkpoint> = validatorsOf(response.headers)
  if (bodyHash === undefined || isSame) {
    noteContent(exchange, evidence.content)
    const draft: Draft = { ...base, kind: 'exchange', changed: false, patchBytes: 0, hash: bodyHash }
    log.append(draft, notModified ? {} : { ...validators, ...sizes })
    evidence.lastPollAt = at
    evidence.fresh = fresh
    return
  }
  const { draft, step, content } = await compare(
    run,
    { wireBytes, plain: body },
    base,
    follower,
    answer,
    signal,
  )
  draft.hash ??= bodyHash
  noteContent(exchange, content)
  if (draft.changed) evidence.lastEventAt = at
  if (step?.mismatched) tellMismatch(log, at)
  draft.deflatedBytes = await deflatedBytes(draft, (frame) => compressedBytes(frame, 'frame', signal, deps))
  if (!log.append(draft, { ...validators, ...sizes, bodyHash })) forgetBody(run)
  else if (step !== undefined) appendKeyframe(run, log, at, step)
  evidence.content = content
  // Only now, because the next run counts on what was appended until then.
  evidence.lastPollAt = at
  evidence.fresh = draft.changed && exchange.isFresh ? { ...fresh, isOutdated: true } : fresh
}

function noteContent(exchange: Exchange, content: OtherContent | undefined): void {
  if (content !== undefined) exchange.content = content
}

/** What polling the body again would transfer without validators, uncompressed and with gzip; a 304 stands for the last
 * body. */
async function sizesAskedAgain(
  { response }: UpstreamAnswer,
  body: Uint8Array,
  wireBytes: number,
  known: Pick<Checkpoint, 'plainBytes' | 'gzipBytes'>,
  gzipBytesOf: (body: Uint8Array) => Promise<number | undefined>,
): Promise<Pick<Checkpoint, 'plainBytes' | 'gzipBytes'>> {
  if (response.status === 304) return { plainBytes: known.plainBytes, gzipBytes: known.gzipBytes }
  const plainBytes = body.byteLength
  if (isGzip(response.headers)) return { plainBytes, gzipBytes: wireBytes }
  return { plainBytes, gzipBytes: known.gzipBytes ?? (await gzipBytesOf(body)) }
}

/** Size of a change as sent to subscribers that accept gzip: compressed as a frame of its own. */
async function deflatedBytes(
  { kind, changed, data, gzipBytes }: Draft,
  frameBytesOf: (frame: string) => Promise<number | undefined>,
): Promise<number | undefined> {
  if (!changed) return undefined
  if (kind === 'exchange' || data === undefined) return gzipBytes
  return frameBytesOf(`event: ${kind === 'patch' ? 'patch' : 'data'}\nid: 01234567.1000\ndata: ${data}\n\n`)
}

async function compressedBytes(
  content: Uint8Array | string,
  as: 'gzip' | 'frame',
  signal: AbortSignal,
  { large }: Pick<FollowDeps, 'large'>,
): Promise<number | undefined> {
  const isShort = content.length <= COMPRESSED_AT_ONCE_BYTES
  return isShort ? compressedSize(content, as) : large.compressedBytes(content, as, signal)
}

function appendKeyframe(run: Run, log: RunLog, at: number, step: AnyStep): void {
  const keyframe = keyframeDraft(at, step)
  if (keyframe !== undefined && log.append(keyframe)) run.followed = afterKeyframe(step.followed)
}

/** A patch that produces a different document is a bug in Weir, not a failure of the upstream; the log shows it. */
function tellMismatch(log: RunLog, at: number): void {
  const message = "The patch didn't produce the new document. A snapshot was recorded instead."
  const data = JSON.stringify({ code: 'patch_mismatch', message })
  log.append({ at, kind: 'error', wireBytes: 0, bodyBytes: 0, data })
}

/** After an entry that was dropped, the next poll must fetch the whole document again. */
function forgetBody(run: Run): void {
  run.followed = undefined
  run.checkpoint = { ...run.checkpoint, bodyHash: undefined, etag: undefined, lastModified: undefined }
}

/** Sends the request and reads the response once the host has a free slot. */
async function fetchBody(
  run: Run,
  log: RunLog,
  { checks, upstream }: { checks: ScheduledChecks; upstream: Known },
  signal: AbortSignal,
  deps: FollowDeps,
) {
  const { stream, checkpoint, evidence } = run
  const leave = await deps.hosts.enter(stream.url, signal, (until) => {
    evidence.nextRetryAt = until
    log.turned()
  })
  checks.sent(deps.now())
  const means = { ...upstream.means, ...keptUse(stream, upstream, deps) }
  try {
    const answer = await askUpstream(stream, conditional(checkpoint), deps.limits, signal, deps.fetch, means)
    upstream.headMs = answer.headMs
    evidence.lastByteAt = deps.now()
    noteCertificate(run, deps)
    noteRedirects(run, answer.exchange)
    await expectDocument(answer, deps, signal)
    return { answer, ...(await readBody(answer, deps.limits, signal)) }
  } catch (error) {
    if (error instanceof UpstreamError && error.retryAfterMs) deps.hosts.pause(stream.url, error.retryAfterMs)
    if (error instanceof UpstreamError && error.code === 'ended_early' && means.kept)
      upstream.needsFresh = true
    throw error
  } finally {
    keepCookies(run, upstream.means, deps)
    leave()
  }
}

/**
 * A request uses a kept connection if it may be sent twice, and if it is known how soon the upstream answers: a slow one
 * isn't asked twice.
 */
function keptUse(
  { method, intervalMs, auth }: Stream,
  { headMs, needsFresh }: Known,
  deps: FollowDeps,
): Means {
  const { mayBeKept, limits } = deps
  const isRepeatable = method === 'GET' || auth?.repeatable === true
  const mayUse = intervalMs < FRESH_FROM_MS && isRepeatable && !needsFresh && headMs !== undefined
  if (mayBeKept === undefined || !mayUse) return {}
  return { kept: { mayBeKept, patienceMs: patienceMs(headMs, limits.requestTimeoutMs) } }
}

/** An event stream never ends, so a poll can't wait for it. */
async function expectDocument(
  answer: UpstreamAnswer,
  { limits, now }: Pick<FollowDeps, 'limits' | 'now'>,
  signal: AbortSignal,
): Promise<void> {
  const isEndless = isEventStream(answer.response)
  const failure = statusError(answer, now())
  // That there is no content is an answer, too.
  const refused = failure?.code === 'no_content' ? undefined : failure
  const error = refused ?? (isEndless ? sendsEvents() : undefined)
  if (error === undefined) return
  const { maxBodyBytes } = limits
  const bounds = isEndless ? ENDLESS_BODY : { maxBytes: maxBodyBytes, timeoutMs: msLeft(answer, limits) }
  throw await failedAnswer(error, answer, { ...bounds, maxPlainBytes: maxBodyBytes }, signal)
}

function sendsEvents(): UpstreamError {
  const message = 'The API sends server-sent events. Change the kind of this stream to `sse`.'
  return new UpstreamError('bad_content_type', message)
}

type AnyStep = DocumentStep<Followed | FollowedText>

interface Compared {
  draft: Draft
  /** Omitted if the body is no document. */
  step?: AnyStep
  content?: OtherContent
}

/** The entry for a body that differs from the last one. @throws UpstreamError if it isn't the JSON that was asked for */
async function compare(
  run: Run,
  received: { wireBytes: number; plain: Uint8Array },
  base: Omit<Draft, 'kind'>,
  follower: DocumentFollower,
  answer: UpstreamAnswer,
  signal: AbortSignal,
): Promise<Compared> {
  const { evidence, checkpoint } = run
  const hadBody = checkpoint.bodyHash !== undefined || run.followed !== undefined
  const { headers } = answer.response
  const content = contentOf(received.plain, headers)
  const step =
    (await documentIn(run, content, received.plain, follower, signal)) ??
    (await selectedIn(run, content, headers, follower, signal))
  if (step !== undefined && 'code' in step) {
    if (asksForDocument(run.stream)) throw refuse(answer, received, step)
  } else if (step !== undefined) {
    run.followed = step.followed
    // The same document as before, but something else was received in between.
    const isBack = !step.changed && evidence.content !== undefined
    if (!step.changed) return { draft: { ...base, kind: 'exchange', changed: isBack, patchBytes: 0 }, step }
    const { kind, patchBytes, snapshotBytes, data, paths, followed } = step
    const changed = hadBody ? true : undefined
    const change = { kind, changed, patchBytes, snapshotBytes, hash: followed.hash, data, paths }
    return { draft: { ...base, ...change }, step }
  }
  const text = content.as === 'text' && content.text.length <= LOGGED_TEXT_CHARS ? content.text : undefined
  const changed = hadBody ? true : undefined
  return { draft: { ...base, kind: 'exchange', changed, data: text }, content: content.as }
}

/** Whether a stream's owner asked for a document: all other content is an error, then. */
function asksForDocument({ payloadPointer, ignorePaths, select }: Stream): boolean {
  return payloadPointer !== '' || ignorePaths.length > 0 || select !== ''
}

/** The document selected in text that isn't JSON, or why there is none; undefined if there is nothing. */
async function selectedIn(
  run: Run,
  content: Content,
  headers: Headers,
  follower: DocumentFollower,
  signal: AbortSignal,
): Promise<AnyStep | DocumentRefusal | undefined> {
  if (content.as === 'empty') return undefined
  if (content.as === 'bytes') return NO_JSON
  const { type } = mediaTypeIn(headers.get('content-type'))
  const found = await follower.select(content.text, type, signal)
  if (found === undefined) return NO_JSON
  if ('code' in found) return found
  const body = { bytes: Buffer.from(found.selected), text: found.selected }
  return follower.advance(run.followed, body, signal)
}

/** The JSON document in a body, or why it can't be followed; undefined if the body isn't JSON. */
async function documentIn(
  run: Run,
  content: Content,
  plain: Uint8Array,
  follower: DocumentFollower,
  signal: AbortSignal,
): Promise<AnyStep | DocumentRefusal | undefined> {
  if (content.as !== 'text' || !content.mayBeDocument) return undefined
  const { text, isUtf8 } = content
  // A copy, because a large body moves to another thread, and may yet be text.
  const bytes = isUtf8 ? plain.slice() : Buffer.from(text)
  const step = await follower.advance(run.followed, { bytes, text }, signal)
  return 'code' in step && step.code === 'bad_json' && run.stream.select !== '' ? undefined : step
}

const NO_JSON: DocumentRefusal = { code: 'bad_json', message: "The body isn't JSON." }

function conditional(checkpoint: Checkpoint): Record<string, string> {
  return { Accept: 'application/json, */*;q=0.5', 'Accept-Encoding': 'gzip', ...conditionsOf(checkpoint) }
}

function refuse(
  answer: UpstreamAnswer,
  received: { wireBytes: number; plain: Uint8Array },
  { code, message }: DocumentRefusal,
): UpstreamError {
  return failedBody(new UpstreamError(code, message), answer, received)
}
