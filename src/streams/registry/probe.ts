import { excerptOf, failureText } from '../../core/judging/failure.ts'
import {
  CLAIMED_TYPES,
  kindOfType,
  OTHERWISE,
  STREAM_KIND,
  STREAM_KINDS,
} from '../../core/sets/stream-kinds.ts'
import { Problem } from '../../errors.ts'
import { letGo, type ReadEnd, readRaw } from '../ingest/body.ts'
import type { Stream } from '../ingest/run.ts'
import {
  askUpstream,
  expectOk,
  type Limits,
  type Means,
  UpstreamError,
  type UpstreamFetch,
  type UpstreamRequest,
} from '../ingest/upstream.ts'

/** Somebody waits for the answer: after this, in milliseconds, they should set the kind themselves. */
export const PROBE_TIMEOUT_MS = 10_000
/** A response that may end, and doesn't within this time, in milliseconds, has no end. */
export const ENDLESS_AFTER_MS = 3_000
/** A response that may end, and sends more than this within that time, is a large file. */
const MAX_PROBED_BYTES = 4_194_304
const MAY_END = STREAM_KINDS.flatMap((kind): readonly string[] =>
  STREAM_KIND[kind].mayEnd ? STREAM_KIND[kind].mediaTypes : [],
)
/** Accepts every kind, and prefers an event stream. */
export const EITHER_KIND = {
  Accept: [
    ...CLAIMED_TYPES,
    'application/json;q=0.9',
    ...MAY_END.map((type) => `${type};q=0.8`),
    '*/*;q=0.5',
  ].join(', '),
}

/** The kind of an API, and why: a sentence, or null if its content type says it. */
export interface Detected {
  kind: Stream['kind']
  kindReason: string | null
}

/**
 * Determines with one request how an API is to be followed.
 * @throws Problem `unreachable` if it doesn't respond as expected.
 */
export async function findKind(
  stream: UpstreamRequest,
  limits: Limits,
  fetch?: UpstreamFetch,
  means?: Means,
): Promise<Detected> {
  const requestTimeoutMs = Math.min(limits.requestTimeoutMs, PROBE_TIMEOUT_MS)
  const { signal } = new AbortController()
  try {
    const answer = await askUpstream(stream, EITHER_KIND, { requestTimeoutMs }, signal, fetch, means)
    await expectOk(answer, Date.now())
    const { response } = answer
    if (!isOpenQuestion(response)) {
      await letGo(response)
      return detectKind(response)
    }
    const bounds = { maxBytes: MAX_PROBED_BYTES, timeoutMs: ENDLESS_AFTER_MS }
    return detectKind(response, (await readRaw(response, bounds, signal)).end)
  } catch (error) {
    if (!(error instanceof UpstreamError)) throw error
    // What the API says is wrong is in its answer, mostly: a missing key, a wrong parameter.
    const said = failureText({ message: error.message, body: excerptOf(error.body?.text ?? '') })
    const detail = `${said} To register it anyway, set its kind to ${STREAM_KINDS.join(' or ')}.`
    throw new Problem('unreachable', detail, 'url')
  }
}

/** Whether only reading a response to {@link EITHER_KIND} shows of which kind the API is. */
export function isOpenQuestion({ headers }: Response): boolean {
  const kind = kindOfType(headers.get('content-type'))
  return kind !== undefined && STREAM_KIND[kind].mayEnd && fileSign(headers) === undefined
}

/**
 * The kind of an API, judging by its response to {@link EITHER_KIND}.
 * @param end why reading it ended; omitted if it wasn't read
 */
export function detectKind({ headers }: Response, end: ReadEnd = 'time'): Detected {
  const kind = kindOfType(headers.get('content-type')) ?? OTHERWISE
  if (!STREAM_KIND[kind].mayEnd) return { kind, kindReason: null }
  const sign = fileSign(headers)
  if (sign !== undefined) {
    return { kind: OTHERWISE, kindReason: `The JSON lines end: the response has the header ${sign}.` }
  }
  if (end === 'time') {
    const seconds = ENDLESS_AFTER_MS / 1_000
    return {
      kind,
      kindReason: `The JSON lines don't end: the response was still open after ${seconds} s.`,
    }
  }
  const megabytes = MAX_PROBED_BYTES / 1_048_576
  const told = end === 'enough' ? `it sent more than ${megabytes} MiB at once` : 'the response ended'
  return { kind: OTHERWISE, kindReason: `The JSON lines end: ${told}.` }
}

/** The header that only a response with an end has. */
function fileSign(headers: Headers): string | undefined {
  return ['Content-Length', 'Content-Range', 'Accept-Ranges', 'ETag', 'Last-Modified'].find(
    (name) => (headers.get(name) ?? 'none') !== 'none',
  )
}
