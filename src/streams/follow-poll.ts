import { backoffMs } from '../core/backoff.ts'
import { nextBeat } from '../core/beat.ts'
import { type Json, sha256 } from '../core/document.ts'
import { omit, type Pointer, parsePointer, select } from '../core/pointer.ts'
import type { Draft } from './entry.ts'
import { type FollowDeps, fail, recover, tellGap } from './follow.ts'
import { advance, type Step } from './follow-document.ts'
import type { Checkpoint, Run, RunLog } from './run.ts'
import { type Answer, ask, expectOk, readBody, UpstreamError, withExchange } from './upstream.ts'
import { waitUntil } from './wait.ts'

/** Text bodies up to this many characters are kept in the log; of longer ones, hash and size. */
const LOGGED_TEXT_CHARS = 65_536
/** A run that begins more than this many intervals after the last poll says so in a `gap`. */
const MISSED_INTERVALS = 2

/**
 * Polls an API at its interval until the signal aborts. Polls start on a fixed beat, whatever the answers take; a
 * poll that outlasts its interval skips beats, so that two never overlap.
 */
export async function followPoll(
  run: Run,
  log: RunLog,
  signal: AbortSignal,
  deps: FollowDeps,
): Promise<void> {
  const { stream, evidence } = run
  const view = documentView(run)
  const anchor = Math.max((evidence.lastPollAt ?? 0) + stream.intervalMs, deps.now())
  let dueAt = anchor
  evidence.phase = 'open'
  evidence.phaseSince = deps.now()
  if (
    evidence.lastPollAt !== undefined &&
    anchor - evidence.lastPollAt > MISSED_INTERVALS * stream.intervalMs
  ) {
    tellGap(log, 'not_polled', evidence.lastPollAt, anchor)
  }
  log.turned()
  while (await waitUntil(dueAt, signal, deps.now)) {
    try {
      await pollOnce(run, log, view, signal, deps)
      recover(run, log, deps.now())
      dueAt = nextBeat(anchor, stream.intervalMs, deps.now())
    } catch (error) {
      if (signal.aborted) return
      if (!(error instanceof UpstreamError)) throw error
      const waitMs = backoffMs(evidence.failures + 1, deps.random)
      dueAt = deps.now() + Math.max(waitMs, error.retryAfterMs ?? 0)
      fail(run, log, error, dueAt, deps.now())
    }
  }
}

async function pollOnce(
  run: Run,
  log: RunLog,
  view: (text: string) => Json | undefined,
  signal: AbortSignal,
  deps: FollowDeps,
): Promise<void> {
  const { evidence, checkpoint } = run
  const { answer, body, wireBytes } = await fetchBody(run, signal, deps)
  const validators: Partial<Checkpoint> = {
    etag: answer.response.headers.get('etag') ?? undefined,
    lastModified: answer.response.headers.get('last-modified') ?? undefined,
  }
  const at = deps.now()
  evidence.lastByteAt = at
  const base = { at, wireBytes, bodyBytes: body.byteLength, exchange: answer.exchange }

  if (answer.response.status === 304) {
    evidence.lastPollAt = at
    log.append({ ...base, kind: 'exchange', changed: false, patchBytes: 0, hash: checkpoint.bodyHash })
    return
  }
  const bodyHash = sha256(body)
  if (bodyHash === checkpoint.bodyHash) {
    evidence.lastPollAt = at
    log.append({ ...base, kind: 'exchange', changed: false, patchBytes: 0, hash: bodyHash }, validators)
    return
  }
  const draft = compare(run, body, bodyHash, base, view, answer)
  evidence.lastPollAt = at
  if (draft.changed) evidence.lastEventAt = at
  if (!log.append(draft, { ...validators, bodyHash })) forgetBody(run)
}

/** After an entry that found no room, the next poll must bring the whole document again. */
function forgetBody(run: Run): void {
  run.followed = undefined
  run.checkpoint = { ...run.checkpoint, bodyHash: undefined, etag: undefined, lastModified: undefined }
}

/** Asks the API and reads its answer, in the host's turn. */
async function fetchBody({ stream, checkpoint, evidence }: Run, signal: AbortSignal, deps: FollowDeps) {
  const leave = await deps.hosts.enter(stream.url, signal)
  try {
    const answer = await ask(stream, conditional(checkpoint), deps.limits, signal, deps.fetch)
    evidence.lastByteAt = deps.now()
    await expectOk(answer, deps.now())
    return { answer, ...(await readBody(answer, deps.limits, signal)) }
  } catch (error) {
    if (error instanceof UpstreamError && error.retryAfterMs) deps.hosts.pause(stream.url, error.retryAfterMs)
    throw error
  } finally {
    leave()
  }
}

/** What the log says about a body that isn't the last one, byte for byte. */
function compare(
  run: Run,
  body: Uint8Array,
  bodyHash: string,
  base: Pick<Draft, 'at' | 'wireBytes' | 'bodyBytes' | 'exchange'>,
  view: (text: string) => Json | undefined,
  answer: Answer,
): Draft {
  const type = mediaType(answer)
  if (type === 'text/html') {
    throw refuse(answer, base, 'bad_content_type', 'The upstream answered with an HTML page.')
  }
  const text = isText(type) ? new TextDecoder().decode(body) : undefined
  const isJson = type.includes('json') || (text !== undefined && /^\s*[[{]/.test(text))
  if (!isJson) {
    if (run.followed !== undefined) {
      throw refuse(answer, base, 'bad_content_type', `The upstream answered with ${type}, not JSON.`)
    }
    const hadBody = run.checkpoint.bodyHash !== undefined
    const data = text !== undefined && text.length <= LOGGED_TEXT_CHARS ? text : undefined
    return { ...base, kind: 'exchange', changed: hadBody ? true : undefined, hash: bodyHash, data }
  }
  let document: Json | undefined
  try {
    document = view(text ?? new TextDecoder().decode(body))
  } catch {
    throw refuse(answer, base, 'bad_json', "The body isn't complete JSON.")
  }
  if (document === undefined) {
    throw refuse(answer, base, 'pointer_missing', `The document has nothing at ${run.stream.payloadPointer}.`)
  }
  const hadDocument = run.followed !== undefined
  const step = stepTo(document, run)
  if (step === undefined)
    throw refuse(answer, base, 'bad_json', 'The document is nested too deeply to be followed.')
  run.followed = step.followed
  if (!step.changed) return { ...base, kind: 'exchange', changed: false, patchBytes: 0, hash: bodyHash }
  return {
    ...base,
    kind: step.kind,
    changed: hadDocument ? true : undefined,
    patchBytes: step.patchBytes,
    hash: step.followed.hash,
    data: step.data,
  }
}

/** Goes on to the next document; `undefined` when it is nested so deeply that walking it exhausts the stack. */
function stepTo(document: Json, { followed, stream }: Run): Step | undefined {
  try {
    return advance(followed, document, stream.arrayKeys)
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}

/** Reads the part of a body that the stream follows: its sub-document, without the paths to ignore. */
function documentView({ stream }: Run): (text: string) => Json | undefined {
  const pointer = parsePointer(stream.payloadPointer) ?? []
  const ignored = stream.ignorePaths.map(parsePointer).filter((path): path is Pointer => path !== undefined)
  return (text) => {
    const document = select(JSON.parse(text), pointer) as Json | undefined
    if (document !== undefined) omit(document, ignored)
    return document
  }
}

function conditional({ etag, lastModified }: Checkpoint): Record<string, string> {
  const headers: Record<string, string> = { Accept: 'application/json, */*;q=0.5', 'Accept-Encoding': 'gzip' }
  if (etag !== undefined) headers['If-None-Match'] = etag
  if (lastModified !== undefined) headers['If-Modified-Since'] = lastModified
  return headers
}

function mediaType({ response }: Answer): string {
  return (
    (response.headers.get('content-type') ?? '').split(';')[0]?.trim().toLowerCase() ||
    'application/octet-stream'
  )
}

function isText(type: string): boolean {
  return /^text\/|json|xml|javascript|yaml|csv|x-www-form-urlencoded/.test(type)
}

function refuse(
  answer: Answer,
  { wireBytes }: { wireBytes: number },
  code: 'bad_content_type' | 'bad_json' | 'pointer_missing',
  message: string,
): UpstreamError {
  const error = withExchange(new UpstreamError(code, message), answer.exchange)
  error.wireBytes = wireBytes
  return error
}
