import { retryAfterMs } from '../core/judging/backoff.ts'
import { EgressError } from '../net/egress.ts'
import { HIDDEN, type ReceivedResponse, type SendError, type Sending, type SendTools } from './kind.ts'
import { cut } from './message.ts'

/** Of a response's body, in bytes: enough to tell what a service dislikes. */
export const MAX_RESPONSE_BYTES = 4_096
/** Of what was sent, as it is logged. */
export const MAX_LOGGED_BODY_CHARS = 16_384
const MAX_LOGGED_HEADERS = 30
const MAX_LOGGED_HEADER_CHARS = 500
const HIDDEN_HEADERS = new Set(['set-cookie', 'authorization', 'proxy-authorization', 'cookie'])

/** 4xx that may pass: too slow, too early, too many. */
const PASSING = new Set([408, 425, 429])
const GONE = 410
const USER_AGENT = 'Weir'

export interface Post {
  url: string
  headers?: Record<string, string>
  body: string
  /** Statuses, beside 410 Gone, by which the service says that the address no longer exists. */
  goneStatuses?: readonly number[]
}

/** Posts JSON, and says what became of it. */
export async function post(
  { url, headers, body, goneStatuses = [] }: Post,
  tools: SendTools,
): Promise<Sending> {
  const all = { 'Content-Type': 'application/json', 'User-Agent': USER_AGENT, ...headers }
  const startedAt = performance.now()
  const durationMs = () => Math.round(performance.now() - startedAt)
  const request = {
    method: 'POST',
    url: shownUrl(url),
    headers: hidden(Object.entries(all)),
    body: cut(body, MAX_LOGGED_BODY_CHARS),
  }
  try {
    const answer = await tools.fetch(url, { method: 'POST', headers: all, body, signal: tools.signal })
    const response = await received(answer)
    return { request, response, durationMs: durationMs(), outcome: judge(answer, goneStatuses, tools.at) }
  } catch (error) {
    const failure = failureOf(error, tools.signal, url)
    const result = failure.code === 'not_allowed' ? 'failed' : 'retry'
    return { request, durationMs: durationMs(), outcome: { result, error: failure } }
  }
}

/** What a URL that is a secret shows of itself: its host. */
export function shownUrl(url: string): string {
  const { origin, pathname, search } = new URL(url)
  return pathname === '/' && search === '' ? `${origin}/` : `${origin}/${HIDDEN}`
}

/** Where a URL leads. */
export function placeOf(url: string): { host: string; port: number } {
  const { hostname, port, protocol } = new URL(url)
  return { host: hostname, port: Number(port) || (protocol === 'https:' ? 443 : 80) }
}

/** All of a URL that must not be seen: the whole of it, what follows the host, and the longer parts of that. */
export function urlMasks(url: string): string[] {
  const { href, pathname, search } = new URL(url)
  const parts = [...pathname.split('/'), ...search.slice(1).split(/[&=]/)].filter((part) => part.length >= 8)
  return [url, href, ...(pathname === '/' ? [] : [pathname + search, pathname]), search.slice(1), ...parts]
}

/** What is wrong with a URL to send to. */
export function urlFault(url: string): string | undefined {
  if (!URL.canParse(url)) return "This isn't a URL."
  const { protocol, username, password } = new URL(url)
  if (protocol !== 'https:' && protocol !== 'http:') {
    return `Only http and https can be sent to, not ${protocol.slice(0, -1)}.`
  }
  return username === '' && password === '' ? undefined : 'A URL must not hold credentials.'
}

/** Why nothing came back. */
export function failureOf(error: unknown, signal: AbortSignal, url: string): SendError {
  if (signal.aborted) return signal.reason as SendError
  if (error instanceof EgressError) return { code: error.code, message: error.message }
  const { code, name } = error as Error & { code?: string }
  return { code: 'connection_failed', message: `Can't connect to ${new URL(url).host} (${code ?? name}).` }
}

function judge(
  { ok, status, statusText, headers }: Response,
  gone: readonly number[],
  at: Date,
): Sending['outcome'] {
  if (ok) return { result: 'delivered' }
  const said = `${status}${statusText ? ` ${statusText}` : ''}`
  const error = { code: 'bad_status' as const, message: `The receiver answered ${said}.` }
  if (status === GONE || gone.includes(status)) {
    return {
      result: 'gone',
      error: { ...error, message: `The receiver answered ${said}: it takes nothing any more.` },
    }
  }
  if (status >= 400 && status < 500 && !PASSING.has(status)) return { result: 'failed', error }
  return { result: 'retry', error, retryAfterMs: retryAfterMs(headers.get('retry-after'), at.getTime()) }
}

/** The status is known: a body that breaks off or never ends is cut where it is. */
async function received(response: Response): Promise<ReceivedResponse> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  const reader = response.body?.getReader()
  try {
    while (reader !== undefined && bytes <= MAX_RESPONSE_BYTES) {
      const { done, value } = await reader.read()
      if (done) break
      chunks.push(value)
      bytes += value.byteLength
    }
  } catch {
    // What came until then is kept.
  }
  await reader?.cancel().catch(() => {})
  const text = new TextDecoder().decode(Buffer.concat(chunks).subarray(0, MAX_RESPONSE_BYTES))
  const body = (bytes > MAX_RESPONSE_BYTES ? `${text}…` : text).replaceAll('\0', '\ufffd')
  return { status: response.status, headers: hidden(response.headers), body }
}

function hidden(headers: Iterable<[string, string]>): Record<string, string> {
  const shown = [...headers]
    .slice(0, MAX_LOGGED_HEADERS)
    .map(([name, value]) => [
      name.toLowerCase(),
      HIDDEN_HEADERS.has(name.toLowerCase()) ? HIDDEN : value.slice(0, MAX_LOGGED_HEADER_CHARS),
    ])
  return Object.fromEntries(shown)
}
