import { gunzipSync, inflateSync } from 'node:zlib'
import { HIDDEN } from '../../core/hidden.ts'
import { retryAfterMs } from '../../core/judging/backoff.ts'
import { span } from '../../core/judging/status.ts'
import { directFetch } from '../../net/direct.ts'
import { EgressError } from '../../net/egress.ts'
import type { Exchange } from '../recording/entry.ts'
import { type Hide, hideValues } from '../registry/own-secrets.ts'
import type { Stream } from './run.ts'

/** Kinds of upstream failures. */
export type UpstreamErrorCode =
  | 'host_unknown'
  | 'not_allowed'
  | 'connection_failed'
  | 'timeout'
  | 'stalled'
  | 'ended_early'
  | 'bad_status'
  | 'no_content'
  | 'too_many_redirects'
  | 'bad_redirect'
  | 'bad_content_type'
  | 'bad_encoding'
  | 'bad_json'
  | 'bad_patch'
  | 'pointer_missing'
  | 'too_large'

/** A failure of an upstream: an expected outcome, recorded as an `error` entry. */
export class UpstreamError extends Error {
  override readonly name = 'UpstreamError'
  /** Bytes received before the failure. */
  wireBytes = 0
  exchange: Exchange | undefined
  constructor(
    readonly code: UpstreamErrorCode,
    message: string,
    /** How long the upstream asks to wait before a retry, in milliseconds. */
    readonly retryAfterMs?: number,
  ) {
    super(message)
  }
}

/** Bounds of one request. */
export interface Limits {
  /** Longest wait for the headers; for a poll, for the whole response. Milliseconds. */
  requestTimeoutMs: number
  /** Largest body or single event, after decompression. Bytes. */
  maxBodyBytes: number
}

export type UpstreamFetch = (url: string, init: RequestInit & { decompress?: boolean }) => Promise<Response>

/** The part of a stream's definition that makes its request. */
export type UpstreamRequest = Pick<Stream, 'url' | 'method' | 'headers' | 'body'>

export interface UpstreamAnswer {
  response: Response
  exchange: Required<Exchange>
  /** Bytes of the status line and headers, as in HTTP/1.1. */
  headBytes: number
  /** When the request was made, by the monotonic clock, in milliseconds. */
  startedAt: number
  /** Hides the credentials that were sent. */
  hide: Hide
}

const REDIRECTS = new Set([301, 302, 303, 307, 308])
const USER_AGENT = 'Weir/0.1'
/** Response headers kept in the log: enough to understand the response, and bounded. */
const MAX_LOGGED_HEADERS = 40
const MAX_LOGGED_HEADER_CHARS = 500
/** Maximum redirects for one request. Browsers follow 20; no API needs more than a few. */
const MAX_REDIRECTS = 10
const HIDDEN_RESPONSE_HEADERS = new Set(['set-cookie', 'authorization', 'www-authenticate'])

/**
 * Sends the stream's request and waits for the headers of the response.
 * @throws UpstreamError for everything but an aborted `signal`, whose reason it passes on.
 */
export async function askUpstream(
  stream: UpstreamRequest,
  own: Record<string, string>,
  { requestTimeoutMs }: Pick<Limits, 'requestTimeoutMs'>,
  signal: AbortSignal,
  fetch: UpstreamFetch = directFetch,
): Promise<UpstreamAnswer> {
  const startedAt = performance.now()
  const hide = hideValues(stream.headers)
  const exchange: Exchange = { request: logRequest(stream, own) }
  const deadline = new AbortController()
  const timer = setTimeout(() => deadline.abort(), requestTimeoutMs)
  try {
    const response = await followRedirects(stream, own, AbortSignal.any([signal, deadline.signal]), fetch)
    const { headers, headBytes } = readHead(response, hide)
    exchange.response = {
      status: response.status,
      headers,
      firstByteMs: round(performance.now() - startedAt),
    }
    return { response, exchange: exchange as Required<Exchange>, headBytes, startedAt, hide }
  } catch (error) {
    if (signal.aborted) throw signal.reason
    if (error instanceof UpstreamError) throw withExchange(error, exchange)
    if (error instanceof EgressError) {
      throw withExchange(new UpstreamError(error.code, error.message), exchange)
    }
    throw withExchange(
      deadline.signal.aborted ? timedOut(requestTimeoutMs) : connectionError(error as Error, stream.url),
      exchange,
    )
  } finally {
    clearTimeout(timer)
  }
}

/**
 * Sends a request and follows its redirects. The stream's own headers are sent only to the origin they were set for: an
 * API key must not reach another one.
 * @see https://fetch.spec.whatwg.org/#http-redirect-fetch
 */
async function followRedirects(
  asked: UpstreamRequest,
  own: Record<string, string>,
  signal: AbortSignal,
  fetch: UpstreamFetch,
): Promise<Response> {
  let { url, method, body, headers } = asked
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
    const response = await fetch(url, {
      method,
      headers: { 'User-Agent': USER_AGENT, ...own, ...headers },
      body: body ?? undefined,
      signal,
      redirect: 'manual',
      decompress: false,
    })
    const location = response.headers.get('location')
    if (!REDIRECTS.has(response.status) || location === null) return response
    await letGo(response)
    const next = redirectTarget(location, url)
    if (next.origin !== new URL(url).origin) headers = {}
    if (response.status === 303 || (response.status < 303 && method === 'POST'))
      [method, body] = ['GET', null]
    url = next.href
  }
  throw new UpstreamError('too_many_redirects', `The upstream redirected more than ${MAX_REDIRECTS} times.`)
}

function redirectTarget(location: string, from: string): URL {
  const target = URL.canParse(location, from) ? new URL(location, from) : undefined
  if (target?.protocol === 'http:' || target?.protocol === 'https:') return target
  throw new UpstreamError('bad_redirect', "The upstream redirected to a URL that isn't http or https.")
}

/**
 * Checks the status code of a response; releases a response that fails.
 * @throws UpstreamError `no_content` for 204, `bad_status` for everything else that isn't 2xx or 304.
 */
export async function expectOk({ response, exchange, hide }: UpstreamAnswer, nowMs: number): Promise<void> {
  const { status } = response
  if (status === 304 || (response.ok && status !== 204)) return
  await letGo(response)
  const error =
    status === 204
      ? new UpstreamError('no_content', 'The upstream returned 204 No Content.')
      : new UpstreamError(
          'bad_status',
          `The upstream returned ${`${status} ${hide(response.statusText)}`.trim()}.`,
          retryAfterMs(response.headers.get('retry-after'), nowMs),
        )
  throw withExchange(error, exchange)
}

/** Cancels a body that isn't needed, even if it has failed. */
export async function letGo({ body }: Response): Promise<void> {
  await body?.cancel().catch(() => {})
}

/** Reads a whole body within the limits, with its compressed and its plain size. */
export async function readBody(
  answer: UpstreamAnswer,
  { requestTimeoutMs, maxBodyBytes }: Limits,
  signal: AbortSignal,
): Promise<{ body: Uint8Array; wireBytes: number }> {
  const reader = answer.response.body?.getReader()
  const chunks: Uint8Array[] = []
  let wireBytes = 0
  const left = Math.max(0, requestTimeoutMs - (performance.now() - answer.startedAt))
  const { promise: stopped, reject: stop } = Promise.withResolvers<never>()
  stopped.catch(() => {})
  const timer = setTimeout(() => stop(timedOut(requestTimeoutMs)), left)
  const onAbort = () => stop(signal.reason)
  signal.addEventListener('abort', onAbort)
  try {
    while (reader !== undefined) {
      const { done, value } = await Promise.race([reader.read(), stopped])
      if (done) break
      wireBytes += value.byteLength
      if (wireBytes > maxBodyBytes) throw tooLarge(maxBodyBytes)
      chunks.push(value)
    }
    const body = decompress(Buffer.concat(chunks), answer.response.headers, maxBodyBytes)
    answer.exchange.response.durationMs = Math.round(performance.now() - answer.startedAt)
    return { body, wireBytes }
  } catch (error) {
    void reader?.cancel().catch(() => {})
    if (signal.aborted) throw signal.reason
    const failure =
      error instanceof UpstreamError
        ? error
        : new UpstreamError('ended_early', 'The connection closed before the body was complete.')
    failure.wireBytes = wireBytes
    throw withExchange(failure, answer.exchange)
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', onAbort)
  }
}

/** Whether a response is an event stream, which has no end to wait for. */
export function isEventStream({ headers }: Response): boolean {
  return /^\s*text\/event-stream\s*(;|$)/i.test(headers.get('content-type') ?? '')
}

/** Whether a body came compressed with gzip. */
export function isGzip(headers: Headers): boolean {
  return /^\s*(x-)?gzip\s*$/i.test(headers.get('content-encoding') ?? '')
}

export function withExchange(error: UpstreamError, exchange: Exchange): UpstreamError {
  error.exchange ??= exchange
  return error
}

function decompress(raw: Buffer, headers: Headers, maxOutputLength: number): Uint8Array {
  const encoding = headers.get('content-encoding')?.trim().toLowerCase() ?? 'identity'
  if (encoding === 'identity' || encoding === '' || raw.byteLength === 0) return raw
  try {
    if (isGzip(headers)) return gunzipSync(raw, { maxOutputLength })
    if (encoding === 'deflate') return inflateSync(raw, { maxOutputLength })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(maxOutputLength)
    throw new UpstreamError('bad_encoding', `The body isn't valid ${encoding}.`)
  }
  throw new UpstreamError('bad_encoding', `Unsupported content encoding: ${encoding.slice(0, 40)}.`)
}

function tooLarge(limitBytes: number): UpstreamError {
  return new UpstreamError('too_large', `The body is larger than ${limitBytes} bytes.`)
}

function timedOut(timeoutMs: number): UpstreamError {
  return new UpstreamError('timeout', `No complete response within ${span(timeoutMs)}.`)
}

function connectionError(error: Error & { code?: string }, url: string): UpstreamError {
  const { host } = new URL(url)
  if (error.code === 'ENOTFOUND' || error.code === 'DNSLookupFailed' || error.code === 'EAI_AGAIN') {
    return new UpstreamError('host_unknown', `Can't resolve the host ${host}.`)
  }
  return new UpstreamError('connection_failed', `Can't connect to ${host} (${error.code ?? error.name}).`)
}

function logRequest(stream: UpstreamRequest, own: Record<string, string>) {
  const hidden = Object.fromEntries(Object.keys(stream.headers).map((name) => [name, HIDDEN]))
  return { method: stream.method, url: stream.url, headers: { ...own, ...hidden } }
}

/** Status line and headers of a response as the log shows them, and their size: as `fetch` reports them, whatever the HTTP
 * version. */
function readHead({ status, statusText, headers }: Response, hide: Hide) {
  const logged: Record<string, string> = {}
  let headBytes = `HTTP/1.1 ${status} ${statusText}\r\n\r\n`.length
  let count = 0
  headers.forEach((value, name) => {
    headBytes += name.length + value.length + ': \r\n'.length
    if (++count > MAX_LOGGED_HEADERS) return
    logged[name] = HIDDEN_RESPONSE_HEADERS.has(name) ? HIDDEN : hide(value).slice(0, MAX_LOGGED_HEADER_CHARS)
  })
  return { headers: logged, headBytes }
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10
}
