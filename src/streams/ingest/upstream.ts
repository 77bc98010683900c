import { HIDDEN } from '../../core/hidden.ts'
import { retryAfterMs } from '../../core/judging/backoff.ts'
import { type Hop, span } from '../../core/judging/status.ts'
import { publicUrl } from '../../core/public-url.ts'
import { mediaTypeIn } from '../../core/sets/media-types.ts'
import type { ClientTls } from '../../core/sets/request-options.ts'
import { kindOfType } from '../../core/sets/stream-kinds.ts'
import { Cookies, combinedCookies } from '../../net/cookies.ts'
import { directFetch } from '../../net/direct.ts'
import { EgressError, type EgressFetch } from '../../net/egress.ts'
import { locationIn, sentValue } from '../../net/header-bytes.ts'
import { MalformedAnswer } from '../../net/http1/head.ts'
import { requestBytes, type SentRequest } from '../../net/request-bytes.ts'
import { CodingError, codingsOf, decompress } from '../content/codings.ts'
import type { Exchange } from '../recording/entry.ts'
import { type Hide, hideValues } from '../registry/own-secrets.ts'
import type { Authorizer } from '../requests/authorizer.ts'
import { type Attempt, withSecondAttempt } from '../requests/second-attempt.ts'
import type { AskToken } from '../requests/tokens.ts'
import {
  decompressedPart,
  ENDLESS_BODY,
  type KeptBody,
  keptBody,
  type RawBody,
  type ReadBounds,
  type ReadEnd,
  readRaw,
} from './body.ts'
import type { Stream } from './run.ts'

/** Kinds of upstream failures. */
export type UpstreamErrorCode =
  | 'host_unknown'
  | 'not_allowed'
  | 'auth_failed'
  | 'connection_failed'
  | 'timeout'
  | 'stalled'
  | 'ended_early'
  | 'bad_status'
  | 'no_content'
  | 'too_many_redirects'
  | 'bad_redirect'
  | 'bad_handshake'
  | 'bad_frame'
  | 'closed'
  | 'bad_content_type'
  | 'bad_encoding'
  | 'bad_json'
  | 'bad_patch'
  | 'pointer_missing'
  | 'too_large'

/** A failure of an upstream: an expected outcome, recorded as an `error` entry. */
export class UpstreamError extends Error {
  override readonly name = 'UpstreamError'
  /** Bytes of the bodies and heads received before the failure, redirects included, and of the decompressed body. */
  wireBytes = 0
  headBytes = 0
  bodyBytes = 0
  /** Size of a body that is too large, as its Content-Length says; undefined if nothing does. */
  lengthBytes: number | undefined
  /** What was received of the failed answer's body. */
  body: KeptBody | undefined
  exchange: Exchange | undefined
  /** The open connection that failed: how long it had lasted, and what it had brought (`sse`). */
  connection: { lastedMs: number; events: number; receivedBytes: number } | undefined
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

export type UpstreamFetch = (
  url: string,
  init: RequestInit & Pick<Parameters<EgressFetch>[1], 'decompress' | 'onSend' | 'tls'>,
) => Promise<Response>

/** The part of a stream's definition that makes its request. */
export type UpstreamRequest = Pick<Stream, 'url' | 'method' | 'headers' | 'body'>

/** How a stream's request is sent, beyond what its definition says. */
export interface Means {
  /** Its cookies; omitted: those of this request and its redirects only. */
  cookies?: Cookies
  /** Signs it in at its own origin. */
  authorizer?: Authorizer
  /** What is used for TLS at its own origin; it always opens a fresh connection then. */
  tls?: ClientTls
  /** If it may use a kept connection; omitted: it opens a fresh one. */
  kept?: KeptUse
}

export interface KeptUse {
  /** Whether there may be a kept connection for a URL. */
  mayBeKept(url: string): boolean
  /** How long it may be silent before the request is sent a second time, in milliseconds. */
  patienceMs: number
}

export interface UpstreamAnswer {
  response: Response
  exchange: AnsweredExchange
  /** Bytes of the status line and headers, as in HTTP/1.1, including those of redirects. */
  headBytes: number
  /** Bytes of the bodies of redirects. */
  redirectBytes: number
  /** How long the head of the response took, from its own attempt on, in milliseconds. */
  headMs: number
  /** When the request was made, by the monotonic clock, in milliseconds. */
  startedAt: number
  /** Hides the credentials that were sent. */
  hide: Hide
}

type AnsweredExchange = Exchange & Required<Pick<Exchange, 'response'>>

const REDIRECTS = new Set([301, 302, 303, 307, 308])
const USER_AGENT = 'Weir/0.1'
/** Response headers kept in the log: enough to understand the response, and bounded. */
const MAX_LOGGED_HEADERS = 40
const MAX_LOGGED_HEADER_CHARS = 500
/** Maximum redirects for one request. Browsers follow 20; no API needs more than a few. */
const MAX_REDIRECTS = 10
/** Longest URL of a redirect in the log, in characters. */
const MAX_HOP_CHARS = 300
/** What is read of a redirect's body, to count it; one that is longer, or takes longer, is cancelled. */
const REDIRECT_BODY: ReadBounds = { maxBytes: 65_536, timeoutMs: 1_000 }
/** Errors of a connection that was never established: no request was sent. */
const UNSENT = /REFUSED|UNREACH|NOTFOUND|EAI_AGAIN|DNSLookupFailed|FailedToOpenSocket|CERT|SSL|TLS/i
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
  means: Means = {},
): Promise<UpstreamAnswer> {
  const startedAt = performance.now()
  const { cookies = new Cookies() } = means
  const traffic: Traffic = {
    requests: 0,
    requestBytes: 0,
    redirects: { count: 0, headBytes: 0, bodyBytes: 0, hops: [] },
    headMs: 0,
  }
  const exchange = (): Exchange => ({
    request: logRequest(stream, own, traffic),
    ...(traffic.redirects.headBytes > 0 && { redirects: traffic.redirects }),
  })
  const failed = (error: UpstreamError) => {
    error.wireBytes = traffic.redirects.bodyBytes
    error.headBytes = traffic.redirects.headBytes
    return withExchange(error, exchange())
  }
  const deadline = new AbortController()
  const timer = setTimeout(() => deadline.abort(), requestTimeoutMs)
  try {
    const either = AbortSignal.any([signal, deadline.signal])
    const response = await followRedirects(stream, own, either, fetch, { ...means, cookies }, traffic)
    const hide = hideValues(stream.headers, [...cookies.values(), ...(means.authorizer?.secrets() ?? [])])
    const { headers, headBytes } = readHead(response, hide)
    const firstByteMs = round(performance.now() - startedAt)
    return {
      response,
      exchange: { ...exchange(), response: { status: response.status, headers, firstByteMs } },
      headBytes: headBytes + traffic.redirects.headBytes,
      redirectBytes: traffic.redirects.bodyBytes,
      headMs: traffic.headMs,
      startedAt,
      hide,
    }
  } catch (error) {
    if (signal.aborted) throw signal.reason
    if (error instanceof UpstreamError) throw failed(error)
    if (error instanceof EgressError) throw failed(new UpstreamError(error.code, error.message))
    throw failed(
      deadline.signal.aborted ? timedOut(requestTimeoutMs) : connectionError(error as Error, stream.url),
    )
  } finally {
    clearTimeout(timer)
  }
}

/** What a request and its redirects have moved so far. */
interface Traffic {
  requests: number
  requestBytes: number
  redirects: NonNullable<Exchange['redirects']> & { hops: Hop[] }
  /** How long the last head took. */
  headMs: number
}

/**
 * Sends a request and follows its redirects. The stream's own headers are sent only to the origin they were set for: an
 * API key must not reach another one. Cookies that upstreams set are sent to the URLs they were set for.
 * @see https://fetch.spec.whatwg.org/#http-redirect-fetch
 */
async function followRedirects(
  asked: UpstreamRequest,
  own: Record<string, string>,
  signal: AbortSignal,
  fetch: UpstreamFetch,
  means: Means & Required<Pick<Means, 'cookies'>>,
  traffic: Traffic,
): Promise<Response> {
  let { url, method, body, headers } = asked
  const { cookies } = means
  /** What is meant for the stream's own origin, until a redirect leaves it. */
  let { authorizer, tls } = means
  let isRefused = false
  const ask: AskToken = (tokenUrl, init) => sendOnce(tokenUrl, { ...init, keepalive: false }, fetch, traffic)
  const hide = hideValues(asked.headers)
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
    const authorization = await authorizer?.header({ method, url, signal, ask })
    const sent = asSent({ ...withoutSaid(headers, authorization), ...(authorization && { authorization }) })
    const init = {
      method,
      headers: withCookies({ 'User-Agent': USER_AGENT, ...own, ...sent }, await cookies.header(url)),
      body: body ?? undefined,
      signal,
      redirect: 'manual' as const,
      decompress: false,
      ...(tls && { tls: { cert: tls.certificate, key: tls.key, ca: tls.ca } }),
    }
    const response = await send(url, init, fetch, tls === undefined ? means.kept : undefined, traffic)
    await cookies.take(url, response.headers.getSetCookie())
    if (response.status === 401 && !isRefused && authorizer?.refused(response)) {
      isRefused = true
      await countUnused(response, signal, traffic)
      continue
    }
    const location = response.headers.get('location')
    if (!REDIRECTS.has(response.status) || location === null) return response
    traffic.redirects.count++
    await countUnused(response, signal, traffic)
    const next = redirectTarget(location, url)
    traffic.redirects.hops.push({ status: response.status, to: shownTarget(next, hide) })
    if (next.origin !== new URL(url).origin) [headers, authorizer, tls] = [{}, undefined, undefined]
    if (response.status === 303 || (response.status < 303 && method === 'POST'))
      [method, body] = ['GET', null]
    url = next.href
  }
  throw new UpstreamError('too_many_redirects', `The upstream redirected more than ${MAX_REDIRECTS} times.`)
}

/** Header values as bytes. */
function asSent(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, sentValue(value)]))
}

/** The owner's headers, without those that signing in sets. */
function withoutSaid(
  headers: Record<string, string>,
  authorization: string | undefined,
): Record<string, string> {
  if (authorization === undefined) return headers
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => name.toLowerCase() !== 'authorization'),
  )
}

function withCookies(headers: Record<string, string>, kept: string): Record<string, string> {
  if (kept === '') return headers
  const own = Object.keys(headers).find((name) => name.toLowerCase() === 'cookie')
  const { [own ?? '']: value, ...others } = headers
  return { ...others, Cookie: combinedCookies(value, kept) }
}

/**
 * Sends one request: on a kept connection if that is allowed, there may be one, and the request may be sent a second
 * time; otherwise on a fresh one.
 */
function send(
  url: string,
  init: Parameters<UpstreamFetch>[1] & { signal: AbortSignal },
  fetch: UpstreamFetch,
  kept: KeptUse | undefined,
  traffic: Traffic,
): Promise<Response> {
  const attempt: Attempt = (isFresh, signal) =>
    sendOnce(url, { ...init, signal, keepalive: !isFresh }, fetch, traffic)
  if (kept === undefined) return attempt(true, init.signal)
  if (!kept.mayBeKept(url)) return attempt(false, init.signal)
  const isDeadConnection = (error: unknown) => !(error instanceof EgressError) && !UNSENT.test(codeOf(error))
  return withSecondAttempt(attempt, { afterMs: kept.patienceMs, isDeadConnection, signal: init.signal })
}

/** Sends one request once, and counts it unless there was no connection to send it on. */
async function sendOnce(
  url: string,
  init: Parameters<UpstreamFetch>[1],
  fetch: UpstreamFetch,
  traffic: Traffic,
): Promise<Response> {
  const startedAt = performance.now()
  let bytes = requestBytes(url, init as SentRequest)
  let isCounted = false
  const count = () => {
    if (isCounted) return
    isCounted = true
    traffic.requests++
    traffic.requestBytes += bytes
  }
  // At once, because nobody waits for an attempt that is abandoned.
  init.signal?.addEventListener('abort', count, { once: true })
  const onSend = (sentUrl: string, sent: SentRequest) => {
    bytes = requestBytes(sentUrl, sent)
  }
  try {
    const response = await fetch(url, { ...init, onSend })
    count()
    traffic.headMs = performance.now() - startedAt
    return response
  } catch (error) {
    if (!(error instanceof EgressError) && !UNSENT.test(codeOf(error))) count()
    throw error
  } finally {
    init.signal?.removeEventListener('abort', count)
  }
}

function codeOf(error: unknown): string {
  return String((error as { code?: unknown }).code ?? '')
}

/** Reads what a redirect or a challenge moved. Its body may be broken or endless; nobody needs it. */
async function countUnused(response: Response, signal: AbortSignal, { redirects }: Traffic): Promise<void> {
  redirects.headBytes += headBytesOf(response)
  const { raw } = await readRaw(response, REDIRECT_BODY, signal)
  redirects.bodyBytes += raw.byteLength
}

/** Where a redirect leads, for the log: without what could be a key, as the API may have made one for this request. */
function shownTarget({ href }: URL, hide: Hide): string {
  return hide(publicUrl(href).url).slice(0, MAX_HOP_CHARS)
}

function redirectTarget(location: string, from: string): URL {
  const target = URL.parse(locationIn(location), from)
  if (target?.protocol === 'http:' || target?.protocol === 'https:') return target
  throw new UpstreamError('bad_redirect', "The upstream redirected to a URL that isn't http or https.")
}

/**
 * Checks the status code of a response; of one that fails, reads the beginning of the body, and releases it.
 * @throws UpstreamError as {@link statusError}, with what was read
 */
export async function expectOk(answer: UpstreamAnswer, nowMs: number): Promise<void> {
  const error = statusError(answer, nowMs)
  if (error === undefined) return
  const bounds = { ...ENDLESS_BODY, maxPlainBytes: ENDLESS_BODY.maxBytes }
  throw await failedAnswer(error, answer, bounds, new AbortController().signal)
}

/** `no_content` for 204, `bad_status` for everything else that isn't 2xx or 304; undefined for these. */
export function statusError({ response, hide }: UpstreamAnswer, nowMs: number): UpstreamError | undefined {
  const { status } = response
  if (status === 304 || (response.ok && status !== 204)) return undefined
  if (status === 204) return new UpstreamError('no_content', 'The upstream returned 204 No Content.')
  return new UpstreamError(
    'bad_status',
    `The upstream returned ${`${status} ${hide(response.statusText)}`.trim()}.`,
    retryAfterMs(response.headers.get('retry-after'), nowMs),
  )
}

/**
 * The error of an answer that isn't used, with what it moved, and its body for the log.
 * @param maxPlainBytes largest body after decompression
 */
export async function failedAnswer(
  error: UpstreamError,
  answer: UpstreamAnswer,
  bounds: ReadBounds & { maxPlainBytes: number },
  signal: AbortSignal,
): Promise<UpstreamError> {
  const { raw, end } = await readRaw(answer.response, bounds, signal)
  const plain = decompressedPart(raw, answer.response.headers, bounds.maxPlainBytes)
  return failedBody(error, answer, { wireBytes: raw.byteLength, plain, end })
}

/** The same for a body that was read already. */
export function failedBody(
  error: UpstreamError,
  { response, exchange, headBytes, redirectBytes, hide }: UpstreamAnswer,
  { wireBytes, plain, end = 'whole' }: { wireBytes: number; plain: Uint8Array | undefined; end?: ReadEnd },
): UpstreamError {
  error.wireBytes = redirectBytes + wireBytes
  error.headBytes = headBytes
  error.bodyBytes = plain?.byteLength ?? 0
  error.body = keptBody(plain, response.headers, end === 'whole', hide)
  return withExchange(error, exchange)
}

/** What is left of the time for a whole answer, in milliseconds. */
export function msLeft({ startedAt }: UpstreamAnswer, { requestTimeoutMs }: Limits): number {
  return requestTimeoutMs - (performance.now() - startedAt)
}

/**
 * Reads a whole body within the limits, with its compressed and its plain size.
 * @throws UpstreamError with what was received; the signal's reason when it aborts
 */
export async function readBody(
  answer: UpstreamAnswer,
  limits: Limits,
  signal: AbortSignal,
): Promise<{ body: Uint8Array; wireBytes: number }> {
  const { maxBodyBytes } = limits
  const bounds = { maxBytes: maxBodyBytes, timeoutMs: msLeft(answer, limits) }
  const { headers } = answer.response
  const { raw, end } = await readRaw(answer.response, bounds, signal)
  try {
    const body = plainOf(whole({ raw, end }, headers, limits), headers, maxBodyBytes)
    answer.exchange.response.durationMs = Math.round(performance.now() - answer.startedAt)
    return { body, wireBytes: raw.byteLength }
  } catch (error) {
    const plain = decompressedPart(raw, headers, maxBodyBytes)
    throw failedBody(error as UpstreamError, answer, { wireBytes: raw.byteLength, plain, end })
  }
}

/** @throws UpstreamError for a body that isn't whole */
function whole({ raw, end }: RawBody, headers: Headers, { requestTimeoutMs, maxBodyBytes }: Limits): Buffer {
  if (end === 'time') throw timedOut(requestTimeoutMs, headers)
  if (end === 'enough') {
    const error = tooLarge(maxBodyBytes)
    error.lengthBytes = Number(headers.get('content-length') ?? 0) || undefined
    throw error
  }
  if (end === 'whole') return raw
  throw new UpstreamError('ended_early', 'The connection closed before the body was complete.')
}

/** Whether a response is an event stream, which has no end to wait for. */
export function isEventStream({ headers }: Response): boolean {
  return mediaTypeIn(headers.get('content-type')).type === 'text/event-stream'
}

export function withExchange(error: UpstreamError, exchange: Exchange): UpstreamError {
  error.exchange ??= exchange
  return error
}

function plainOf(raw: Buffer, headers: Headers, maxBytes: number): Uint8Array {
  try {
    return decompress(raw, codingsOf(headers), maxBytes)
  } catch (error) {
    if (error instanceof CodingError) throw new UpstreamError('bad_encoding', error.message)
    throw error instanceof RangeError ? tooLarge(maxBytes) : error
  }
}

function tooLarge(limitBytes: number): UpstreamError {
  return new UpstreamError('too_large', `The body is larger than ${limitBytes} bytes.`)
}

/** @param headers of the response that wasn't complete; omitted if none came */
function timedOut(timeoutMs: number, headers = new Headers()): UpstreamError {
  const kind = kindOfType(headers.get('content-type'))
  const advice = kind === undefined ? '' : ` If it never ends, change the kind of this stream to \`${kind}\`.`
  return new UpstreamError('timeout', `No complete response within ${span(timeoutMs)}.${advice}`)
}

function connectionError(error: Error & { code?: string }, url: string): UpstreamError {
  const { host } = new URL(url)
  if (error.code === 'ENOTFOUND' || error.code === 'DNSLookupFailed' || error.code === 'EAI_AGAIN') {
    return new UpstreamError('host_unknown', `Can't resolve the host ${host}.`)
  }
  if (error instanceof MalformedAnswer)
    return new UpstreamError('connection_failed', `The answer of ${host} isn't valid HTTP: ${error.why}.`)
  return new UpstreamError('connection_failed', `Can't connect to ${host} (${error.code ?? error.name}).`)
}

function logRequest(stream: UpstreamRequest, own: Record<string, string>, traffic: Traffic) {
  const { requests, requestBytes: bytes } = traffic
  const hidden = Object.fromEntries(Object.keys(stream.headers).map((name) => [name, HIDDEN]))
  return {
    method: stream.method,
    url: stream.url,
    headers: { ...own, ...hidden },
    ...(requests > 0 && { bytes }),
    ...(requests > 1 && { count: requests }),
  }
}

/** Status line and headers of a response as the log shows them, and their size. */
function readHead(response: Response, hide: Hide) {
  const logged: Record<string, string> = {}
  let count = 0
  response.headers.forEach((value, name) => {
    if (++count > MAX_LOGGED_HEADERS) return
    logged[name] = HIDDEN_RESPONSE_HEADERS.has(name) ? HIDDEN : hide(value).slice(0, MAX_LOGGED_HEADER_CHARS)
  })
  return { headers: logged, headBytes: headBytesOf(response) }
}

/** Size of a response's head as `fetch` reports it, whatever the HTTP version. */
function headBytesOf({ status, statusText, headers }: Response): number {
  let bytes = `HTTP/1.1 ${status} ${statusText}\r\n\r\n`.length
  headers.forEach((value, name) => {
    bytes += name.length + value.length + ': \r\n'.length
  })
  return bytes
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10
}
