import { Problem } from '../../errors.ts'
import type { Stream } from '../ingest/run.ts'
import {
  type Asked,
  ask,
  expectOk,
  type Fetch,
  isEventStream,
  type Limits,
  letGo,
  UpstreamError,
} from '../ingest/upstream.ts'

/** Someone waits for the answer: longer than this, in milliseconds, and they should say the kind themselves. */
export const PROBE_TIMEOUT_MS = 10_000
/** Asks for either kind, an event stream rather. */
export const EITHER_KIND = { Accept: 'text/event-stream, application/json;q=0.9, */*;q=0.5' }

/**
 * Finds out whether an API speaks server-sent events or has to be polled, by asking it once for either.
 * @throws Problem `unreachable` when it doesn't answer as it should.
 */
export async function findKind(stream: Asked, limits: Limits, fetch?: Fetch): Promise<Stream['kind']> {
  const requestTimeoutMs = Math.min(limits.requestTimeoutMs, PROBE_TIMEOUT_MS)
  try {
    const answer = await ask(stream, EITHER_KIND, { requestTimeoutMs }, new AbortController().signal, fetch)
    await expectOk(answer, Date.now())
    await letGo(answer.response)
    return kindOf(answer.response)
  } catch (error) {
    if (!(error instanceof UpstreamError)) throw error
    const detail = `${error.message} Say its kind, sse or poll, to register it all the same.`
    throw new Problem('unreachable', detail, 'url')
  }
}

/** What an answer to {@link EITHER_KIND} says the API is. */
export function kindOf(response: Response): Stream['kind'] {
  return isEventStream(response) ? 'sse' : 'poll'
}
