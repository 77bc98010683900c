import { excerptOf, failureText } from '../../core/judging/failure.ts'
import { CLAIMED_TYPES, kindOfType, OTHERWISE, STREAM_KINDS } from '../../core/sets/stream-kinds.ts'
import { Problem } from '../../errors.ts'
import { letGo } from '../ingest/body.ts'
import type { Stream } from '../ingest/run.ts'
import {
  askUpstream,
  expectOk,
  type Limits,
  UpstreamError,
  type UpstreamFetch,
  type UpstreamRequest,
} from '../ingest/upstream.ts'

/** Somebody waits for the answer: after this, in milliseconds, they should set the kind themselves. */
export const PROBE_TIMEOUT_MS = 10_000
/** Accepts either kind, and prefers an event stream. */
export const EITHER_KIND = {
  Accept: [...CLAIMED_TYPES, 'application/json;q=0.9', '*/*;q=0.5'].join(', '),
}

/**
 * Determines with one request whether an API sends server-sent events or has to be polled.
 * @throws Problem `unreachable` if it doesn't respond as expected.
 */
export async function findKind(
  stream: UpstreamRequest,
  limits: Limits,
  fetch?: UpstreamFetch,
): Promise<Stream['kind']> {
  const requestTimeoutMs = Math.min(limits.requestTimeoutMs, PROBE_TIMEOUT_MS)
  try {
    const answer = await askUpstream(
      stream,
      EITHER_KIND,
      { requestTimeoutMs },
      new AbortController().signal,
      fetch,
    )
    await expectOk(answer, Date.now())
    await letGo(answer.response)
    return streamKindOf(answer.response)
  } catch (error) {
    if (!(error instanceof UpstreamError)) throw error
    // What the API says is wrong is in its answer, mostly: a missing key, a wrong parameter.
    const said = failureText({ message: error.message, body: excerptOf(error.body?.text ?? '') })
    const detail = `${said} To register it anyway, set its kind to ${STREAM_KINDS.join(' or ')}.`
    throw new Problem('unreachable', detail, 'url')
  }
}

/** The kind of API, judging by its response to {@link EITHER_KIND}. */
export function streamKindOf(response: Response): Stream['kind'] {
  return kindOfType(response.headers.get('content-type')) ?? OTHERWISE
}
