import { retryAfterMs } from '../../core/judging/backoff.ts'
import { span } from '../../core/judging/status.ts'
import { isJsonType, mediaTypeIn } from '../../core/sets/media-types.ts'
import { STREAM_KIND } from '../../core/sets/stream-kinds.ts'
import type { Limits, UpstreamError, UpstreamErrorCode, UpstreamRequest } from '../ingest/upstream.ts'
import type { PreviewedAnswer } from './preview.ts'

/** Why Weir can't follow an API, and what to do about it, in a sentence or two each. */
export interface PreviewProblem {
  code: UpstreamErrorCode | 'tls_failed'
  message: string
  next: string
}

export type PreviewWarningCode =
  | 'redirected'
  | 'key_in_url'
  | 'openapi'
  | 'not_json'
  | 'by_position'
  | 'cut'
  | 'endless'
  | 'large'
  | 'no_validators'
  | 'slow'
  | 'no_event'

/** What to know before registering the API. */
export interface PreviewWarning {
  code: PreviewWarningCode
  message: string
}

/** Larger bodies cause a warning, in bytes. */
const LARGE_BYTES = 1_000_000
/** Slower responses cause a warning, in milliseconds. */
const SLOW_MS = 3_000
const SECRET_NAME =
  /^(api[-_]?key|apikey|key|token|access[-_]?token|auth|secret|password|passwd|pwd|sig|signature)$/i
/** Bun's codes for certificate errors. */
const TLS_FAILURES: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'The certificate has expired.',
  CERT_NOT_YET_VALID: "The certificate isn't valid yet.",
  ERR_TLS_CERT_ALTNAME_INVALID: 'The certificate is for a different host.',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'The certificate is self-signed.',
  SELF_SIGNED_CERT_IN_CHAIN: "The certificate's authority isn't trusted.",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "The certificate's authority isn't trusted.",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "The certificate's authority isn't trusted.",
  UNABLE_TO_GET_ISSUER_CERT: "The certificate's authority isn't trusted.",
}
const NEXT: Readonly<Partial<Record<UpstreamErrorCode, string>>> = {
  auth_failed: 'Check the token endpoint, the client ID and the secret, and preview again.',
  host_unknown: 'Check the spelling. An internal name can only be resolved by a Weir on the same network.',
  not_allowed: 'Use another URL, or add the host to ALLOW_HOSTS and restart Weir.',
  connection_failed:
    "Check that the service is running and the port is right. It must be reachable from Weir's machine, not only from yours.",
  timeout:
    'Preview again: it may only be slow right now. You can also register it anyway; Weir keeps retrying.',
  too_many_redirects: 'Open it in a browser and use the final URL.',
  bad_handshake: 'Check the path, the subprotocol and the headers.',
  bad_frame: 'The service must fix what it sends.',
  closed: 'Check the first message and the headers, and preview again.',
  bad_redirect: 'Open it in a browser and use the final URL.',
  no_content: 'Weir needs a response with a body. Check that the API has data.',
  bad_encoding: "Weir accepts gzip, deflate, br, zstd or no compression. Fix the server's compression.",
  too_large: 'Request less with a filter or pagination, or raise MAX_BODY_BYTES and restart Weir.',
  ended_early: 'Preview again. If it keeps failing, check the logs of the service.',
}

/** @param failure Bun's code of the connection error */
export function problemOf({ code, message }: UpstreamError, failure: string | undefined): PreviewProblem {
  const tls = code === 'connection_failed' ? tlsProblem(failure) : undefined
  return tls ?? { code, message, next: NEXT[code] ?? 'Preview again.' }
}

/**
 * The problem with a status code; null for a good one.
 * @param isPolled whether the API would be polled: that there is nothing is an answer, then
 */
export function statusProblem(
  { status, ok, statusText, headers }: Response,
  isPolled: boolean,
  nowMs: number,
): PreviewProblem | null {
  if (status === 204 && !isPolled) {
    return {
      code: 'no_content',
      message: 'The API returned 204 No Content.',
      next: NEXT.no_content as string,
    }
  }
  if (ok) return null
  const message = `The API returned ${status}${statusText ? ` ${statusText}` : ''}.`
  return {
    code: 'bad_status',
    message,
    next: nextOf(status, retryAfterMs(headers.get('retry-after'), nowMs)),
  }
}

interface Found {
  asked: UpstreamRequest
  answer: PreviewedAnswer
  headers: Headers
  limits: Limits
}

/** Warnings about a response: anything worth knowing that isn't a problem. */
export function warningsOf(found: Found): PreviewWarning[] {
  const ofAll = [redirected, keyInUrl]
  const isGood = found.answer.status < 300
  const checks = isGood ? [...ofAll, described, content, unfinished, weight, slow, silent] : ofAll
  return checks.flatMap((check) => check(found) ?? [])
}

function tlsProblem(failure: string | undefined): PreviewProblem | undefined {
  const message = failure === undefined ? undefined : TLS_FAILURES[failure]
  const isTls = message !== undefined || /^(ERR_(TLS|SSL)|SSL|CERT_)/.test(failure ?? '')
  if (!isTls) return undefined
  return {
    code: 'tls_failed',
    message: message ?? `The TLS handshake failed (${failure?.slice(0, 60)}).`,
    next: 'Fix the certificate. To trust your own authority, set `tls.ca` (API, weir add), or NODE_EXTRA_CA_CERTS in the environment of Weir.',
  }
}

function nextOf(status: number, waitMs: number | undefined): string {
  if (status === 401 || status === 403) {
    return 'It requires authentication. Add a header such as Authorization under “Headers, method and body”, or sign in with `auth` (API, weir add), and preview again.'
  }
  if (status === 404 || status === 410) return 'Check the path and query. A trailing slash can matter.'
  if (status === 405) return 'It requires another method. Choose one under “Headers, method and body”.'
  if (status === 429) {
    const wait = waitMs === undefined ? '' : ` for ${span(waitMs)}`
    return `The API limits the request rate. Wait${wait}, and choose a longer interval.`
  }
  if (status >= 500) {
    return 'The service is failing right now. If you register it anyway, Weir keeps retrying and shows when it recovers.'
  }
  return 'Check the query, the method, the headers and the body.'
}

function redirected({ asked, answer: { redirects } }: Found): PreviewWarning | undefined {
  const last = redirects.at(-1)
  if (last === undefined) return undefined
  const isElsewhere = new URL(last.to).origin !== new URL(asked.url).origin
  const headers = isElsewhere && Object.keys(asked.headers).length > 0
  const message =
    `It redirects to ${last.to.slice(0, 300)} (${last.status}). Register that URL to save a redirect on every request.` +
    (headers ? ' Your headers were sent to the first URL only.' : '')
  return { code: 'redirected', message }
}

function keyInUrl({ asked }: Found): PreviewWarning | undefined {
  const name = [...new URL(asked.url).searchParams.keys()].find((each) => SECRET_NAME.test(each))
  if (name === undefined) return undefined
  const message = `The URL seems to contain a secret, ${name}. URLs are shown on pages and in logs; send it as a header, whose value is never shown.`
  return { code: 'key_in_url', message }
}

function described({ answer: { shape, sample } }: Found): PreviewWarning | undefined {
  if (shape !== 'json' || !/^\{\s*"(openapi|swagger)":/.test(sample?.text ?? '')) return undefined
  return {
    code: 'openapi',
    message: 'This is an OpenAPI document. Import it to create a stream for each operation.',
  }
}

function content({ answer: { shape, contentType, arrays, isWhole } }: Found): PreviewWarning | undefined {
  if (shape === 'html') {
    const message =
      'This is a web page. Weir stores it as text, and shows that it changed, but not where. Set Select to follow parts of it, or find the API that the page loads its data from, often under /api.'
    return { code: 'not_json', message }
  }
  if (shape === 'text' || shape === 'binary') {
    const isDeclared = isWhole && isJsonType(mediaTypeIn(contentType).type)
    const what = isDeclared
      ? "The response is declared as JSON, but it isn't valid JSON"
      : `${contentType ?? 'The response'} isn't JSON`
    const how = shape === 'text' ? 'Weir stores it as text' : 'Weir stores its size and hash'
    return { code: 'not_json', message: `${what}. ${how}, and shows that it changed, but not where.` }
  }
  const loose = arrays.find(({ key }) => key === undefined)
  if (loose === undefined) return undefined
  const message = `No key identifies the ${loose.members} items of ${loose.path || 'the array'}, so they are matched by position.`
  return { code: 'by_position', message }
}

function unfinished({ answer: { kind, isWhole, bodyBytes }, limits }: Found): PreviewWarning | undefined {
  if (!STREAM_KIND[kind].isPolled || isWhole) return undefined
  if (bodyBytes >= LARGE_BYTES) {
    return { code: 'cut', message: 'Only the start of the response was read.' }
  }
  const message = `The response wasn't complete when the preview ended. A poll may take up to ${span(limits.requestTimeoutMs)}.`
  return { code: 'endless', message }
}

function weight({ answer }: Found): PreviewWarning[] {
  const { kind, wireBytes, bodyBytes, encoding, etag, lastModified } = answer
  if (!STREAM_KIND[kind].isPolled || bodyBytes === 0) return []
  const warnings: PreviewWarning[] = []
  if (bodyBytes >= LARGE_BYTES) {
    const packed = encoding === null ? ' and uncompressed, although Weir accepts gzip' : ''
    const message = `The response is large${packed}: ${(wireBytes / 1e6).toFixed(1)} MB for every poll that finds a change.`
    warnings.push({ code: 'large', message })
  }
  if (etag === null && lastModified === null) {
    const message =
      'The API sends neither ETag nor Last-Modified, so every poll transfers the whole body, changed or not.'
    warnings.push({ code: 'no_validators', message })
  }
  return warnings
}

function slow({ answer: { kind, firstByteMs } }: Found): PreviewWarning | undefined {
  if (!STREAM_KIND[kind].isPolled || firstByteMs < SLOW_MS) return undefined
  return { code: 'slow', message: `The API took ${(firstByteMs / 1_000).toFixed(1)} s to respond.` }
}

function silent({ answer: { kind, status, events, comments } }: Found): PreviewWarning | undefined {
  if (STREAM_KIND[kind].isPolled || (status !== 200 && status !== 101) || events.length > 0) return undefined
  const heard = comments > 0 ? 'Heartbeats arrived, but no events' : 'No events arrived'
  return { code: 'no_event', message: `${heard} during the preview. That can be normal for a quiet stream.` }
}
