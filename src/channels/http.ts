import { HIDDEN } from '../core/hidden.ts'
import { retryAfterMs } from '../core/judging/backoff.ts'
import { EgressError } from '../net/egress.ts'
import type { ReceivedResponse, SendError, Sending, SendTools } from './kind.ts'
import { truncate } from './message.ts'

/** How much of a response's body is kept, in bytes: enough for an error message. */
export const MAX_RESPONSE_BYTES = 4_096
/** How much of the sent body is logged. */
export const MAX_LOGGED_BODY_CHARS = 16_384
const MAX_LOGGED_HEADERS = 30
const MAX_LOGGED_HEADER_CHARS = 500
const HIDDEN_HEADERS = new Set(['set-cookie', 'authorization', 'proxy-authorization', 'cookie'])

/** 4xx statuses that may be temporary: too slow, too early, too many. */
const PASSING = new Set([408, 425, 429])
const GONE = 410
const USER_AGENT = 'Weir'

export interface Post {
  url: string
  headers?: Record<string, string>
  body: string
  /** Statuses other than 410 Gone that mean that the address no longer exists. */
  goneStatuses?: readonly number[]
}

/** Posts JSON and returns the outcome. */
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
    body: truncate(body, MAX_LOGGED_BODY_CHARS),
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

/** A secret URL as it may be shown: only its host. */
export function shownUrl(url: string): string {
  const { origin, pathname, search } = new URL(url)
  return pathname === '/' && search === '' ? `${origin}/` : `${origin}/${HIDDEN}`
}

/** The host and port of a URL. */
export function hostAndPortOf(url: string): { host: string; port: number } {
  const { hostname, port, protocol } = new URL(url)
  return { host: hostname, port: Number(port) || (protocol === 'https:' ? 443 : 80) }
}

/** The parts of a URL that must be hidden: the whole, everything after the host, and longer parts of that. */
export function urlMasks(url: string): string[] {
  const { href, pathname, search } = new URL(url)
  const parts = [...pathname.split('/'), ...search.slice(1).split(/[&=]/)].filter((part) => part.length >= 8)
  return [url, href, ...(pathname === '/' ? [] : [pathname + search, pathname]), search.slice(1), ...parts]
}

/** Why a URL can't be a target. */
export function urlFault(url: string): string | undefined {
  if (!URL.canParse(url)) return 'Not a valid URL.'
  const { protocol, username, password } = new URL(url)
  if (protocol !== 'https:' && protocol !== 'http:') {
    return `Unsupported protocol ${protocol.slice(0, -1)}. Use http or https.`
  }
  return username === '' && password === '' ? undefined : "The URL can't contain credentials."
}

/** Why there was no response. */
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
  const error = { code: 'bad_status' as const, message: `The receiver returned ${said}.` }
  if (status === GONE || gone.includes(status)) {
    return {
      result: 'gone',
      error: { ...error, message: `The receiver returned ${said}: the address no longer exists.` },
    }
  }
  if (status >= 400 && status < 500 && !PASSING.has(status)) return { result: 'failed', error }
  return { result: 'retry', error, retryAfterMs: retryAfterMs(headers.get('retry-after'), at.getTime()) }
}

/** The status is known, so a body that breaks off or never ends is cut. */
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
    // Keep what arrived until then.
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
