import { Problem } from '../errors.ts'
import type { Stream } from './run.ts'
import { type Asked, ask, expectOk, type Fetch, type Limits, UpstreamError } from './upstream.ts'

/** Someone waits for the answer: longer than this, in milliseconds, and they should say the kind themselves. */
const PROBE_TIMEOUT_MS = 10_000

/**
 * Finds out whether an API speaks server-sent events or has to be polled, by asking it once for either.
 * @throws Problem `unreachable` when it doesn't answer as it should.
 */
export async function findKind(stream: Asked, limits: Limits, fetch?: Fetch): Promise<Stream['kind']> {
  const own = { Accept: 'text/event-stream, application/json;q=0.9, */*;q=0.5' }
  const requestTimeoutMs = Math.min(limits.requestTimeoutMs, PROBE_TIMEOUT_MS)
  try {
    const answer = await ask(stream, own, { requestTimeoutMs }, new AbortController().signal, fetch)
    await expectOk(answer, Date.now())
    const type = answer.response.headers.get('content-type') ?? ''
    await answer.response.body?.cancel()
    return /^\s*text\/event-stream\b/i.test(type) ? 'sse' : 'poll'
  } catch (error) {
    if (!(error instanceof UpstreamError)) throw error
    const detail = `${error.message} Say its kind, sse or poll, to register it all the same.`
    throw new Problem('unreachable', detail, 'url')
  }
}
