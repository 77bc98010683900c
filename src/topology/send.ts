import type { Service } from '../core/graph.ts'
import { Problem } from '../errors.ts'
import { EgressError } from '../net/egress.ts'

/** For the whole answer: a request that goes through many services waits for the slowest of them. */
const TIMEOUT_MS = 30_000
/** Of an answer's body; the rest is left unread, and the body is shown as text. */
const MAX_ANSWER_BYTES = 65_536

/** What a service answered to a request sent through it. */
export interface SentAnswer {
  status: number
  durationMs: number
  /** Parsed when it is JSON, otherwise text. */
  body: unknown
}

export interface SendOptions {
  fetch: (url: string, init: RequestInit) => Promise<Response>
  /** A clock in milliseconds, only used for differences. */
  now: () => number
  /** Gives up early: the request of whoever waits for the answer. */
  signal: AbortSignal
}

/**
 * Activates a service at its own address, so that it calls the services behind it. Redirects are answers.
 * @throws Problem `invalid_field` about `service` when it has no url, `not_allowed` or `host_unknown` where Weir doesn't
 * go there, `upstream_failed` when it doesn't answer.
 */
export async function sendThrough(
  { id, url }: Service,
  color: string,
  { fetch, now, signal }: SendOptions,
): Promise<SentAnswer> {
  if (url === undefined) throw new Problem('invalid_field', `${id} has not reported a URL.`, 'service')
  const timeout = AbortSignal.timeout(TIMEOUT_MS)
  const startedAt = now()
  try {
    const response = await fetch(urlBelow(url, 'activate'), {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
      body: JSON.stringify({ item: id, color }),
      redirect: 'manual',
      signal: AbortSignal.any([timeout, signal]),
    })
    const body = parsed(await readStart(response.body))
    return { status: response.status, durationMs: Math.round(now() - startedAt), body }
  } catch (error) {
    if (error instanceof Problem) throw error
    if (error instanceof EgressError) throw new Problem(error.code, error.message, 'service')
    const reason = timeout.aborted ? `did not respond within ${TIMEOUT_MS / 1000} s` : 'is unreachable'
    throw new Problem('upstream_failed', `${id} ${reason} at ${new URL(url).origin}.`)
  }
}

/** The address of what a service offers below its own. */
export function urlBelow(base: string, name: string): string {
  const url = new URL(base)
  url.pathname = `${url.pathname.replace(/\/$/, '')}/${name}`
  return url.href
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** The first of a body, as text; the rest is left unread. */
export async function readStart(body: ReadableStream<Uint8Array> | null): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  let leftBytes = MAX_ANSWER_BYTES
  for await (const chunk of body ?? []) {
    text += decoder.decode(chunk.subarray(0, leftBytes), { stream: true })
    leftBytes -= chunk.byteLength
    // Leaving the loop cancels the rest.
    if (leftBytes <= 0) break
  }
  return text
}
