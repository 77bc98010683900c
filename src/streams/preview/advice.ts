import { retryAfterMs } from '../../core/judging/backoff.ts'
import { span } from '../../core/judging/verdict.ts'
import type { Asked, Limits, UpstreamError, UpstreamErrorCode } from '../ingest/upstream.ts'
import type { LookedAnswer } from './preview.ts'

/** Why an API can't be followed as it is, and what to do about it: a sentence or two each. */
export interface LookProblem {
  code: UpstreamErrorCode | 'tls_failed'
  message: string
  next: string
}

export type LookWarningCode =
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

/** What its owner should know before they register it. */
export interface LookWarning {
  code: LookWarningCode
  message: string
}

/** Bodies above this are worth a word, in bytes. */
const LARGE_BYTES = 1_000_000
/** Answers that take longer than this are, in milliseconds. */
const SLOW_MS = 3_000
const SECRET_NAME =
  /^(api[-_]?key|apikey|key|token|access[-_]?token|auth|secret|password|passwd|pwd|sig|signature)$/i
/** Codes by which Bun says what is wrong with a certificate. */
const TLS_FAILURES: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'Its certificate has expired.',
  CERT_NOT_YET_VALID: 'Its certificate is not valid yet.',
  ERR_TLS_CERT_ALTNAME_INVALID: 'Its certificate is for another host.',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'It signed its certificate itself.',
  SELF_SIGNED_CERT_IN_CHAIN: "Its certificate comes from an authority that isn't known here.",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "Its certificate comes from an authority that isn't known here.",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "Its certificate comes from an authority that isn't known here.",
  UNABLE_TO_GET_ISSUER_CERT: "Its certificate comes from an authority that isn't known here.",
}
const NEXT: Readonly<Partial<Record<UpstreamErrorCode, string>>> = {
  host_unknown:
    'Check how the host is spelled. A name that is only known inside a network needs a Weir in that network.',
  not_allowed: 'Once it is named there and Weir is started again, look again.',
  connection_failed:
    "Is the service running, and is the port right? It has to be reached from Weir's machine, not only from yours.",
  timeout: 'It may only be slow just now: look again. Else register it, and Weir tries again and again.',
  too_many_redirects: 'Open it in a browser and take the address where it ends.',
  bad_redirect: 'Open it in a browser and take the address where it ends.',
  no_content: 'Has it anything to say yet? Weir follows what has a body.',
  bad_content_type:
    'Look for the address that the page itself takes its data from: an API, often below /api.',
  bad_encoding: "Weir takes gzip or nothing: mend the server's compression.",
  bad_json: 'Mend what the API sends. Until then each poll would be logged as an error.',
  too_large: 'Ask for less of it, with a filter or a page, or raise MAX_BODY_BYTES and start Weir again.',
  ended_early: 'Look again; if it stays so, see the log of the service.',
}

/** @param failure the code of what the connection failed of, as Bun has it */
export function problemOf({ code, message }: UpstreamError, failure: string | undefined): LookProblem {
  const tls = code === 'connection_failed' ? tlsProblem(failure) : undefined
  return tls ?? { code, message, next: NEXT[code] ?? 'Look again.' }
}

/** What is wrong with a status; null for a good one. */
export function statusProblem(
  { status, ok, statusText, headers }: Response,
  nowMs: number,
): LookProblem | null {
  if (status === 204) {
    return { code: 'no_content', message: 'It answered 204 No Content.', next: NEXT.no_content as string }
  }
  if (ok) return null
  const message = `It answered ${status}${statusText ? ` ${statusText}` : ''}.`
  return {
    code: 'bad_status',
    message,
    next: nextOf(status, retryAfterMs(headers.get('retry-after'), nowMs)),
  }
}

interface Found {
  asked: Asked
  answer: LookedAnswer
  headers: Headers
  limits: Limits
}

/** Everything worth knowing of an answer that isn't a problem. */
export function warningsOf(found: Found): LookWarning[] {
  const ofAll = [redirected, keyInUrl]
  const isGood = found.answer.status < 300
  const checks = isGood ? [...ofAll, described, content, unfinished, weight, slow, silent] : ofAll
  return checks.flatMap((check) => check(found) ?? [])
}

function tlsProblem(failure: string | undefined): LookProblem | undefined {
  const message = failure === undefined ? undefined : TLS_FAILURES[failure]
  const isTls = message !== undefined || /^(ERR_(TLS|SSL)|SSL|CERT_)/.test(failure ?? '')
  if (!isTls) return undefined
  return {
    code: 'tls_failed',
    message: message ?? `Can't agree on encryption with it (${failure?.slice(0, 60)}).`,
    next: "Mend its certificate. An authority of your own is made known by NODE_EXTRA_CA_CERTS in Weir's environment.",
  }
}

function nextOf(status: number, waitMs: number | undefined): string {
  if (status === 401 || status === 403) {
    return 'It wants to know who asks: add a header under “Headers, method and body”, such as Authorization, and look again.'
  }
  if (status === 404 || status === 410) return 'Check path and query; a slash at the end can matter.'
  if (status === 405) return 'It wants another method: choose one under “Headers, method and body”.'
  if (status === 429) {
    const wait = waitMs === undefined ? '' : ` for ${span(waitMs)}`
    return `It limits how often it is asked: wait${wait}, and choose a longer interval.`
  }
  if (status >= 500) {
    return 'The service itself fails now. Registered all the same, Weir tells when it recovers.'
  }
  return 'Check the query, the method, the headers and the body.'
}

function redirected({ asked, answer: { redirects } }: Found): LookWarning | undefined {
  const last = redirects.at(-1)
  if (last === undefined) return undefined
  const isElsewhere = new URL(last.to).origin !== new URL(asked.url).origin
  const headers = isElsewhere && Object.keys(asked.headers).length > 0
  const message =
    `It redirects to ${last.to.slice(0, 300)} (${last.status}): register that, to spare each request the detour.` +
    (headers ? ' Your headers were sent to the first address only.' : '')
  return { code: 'redirected', message }
}

function keyInUrl({ asked }: Found): LookWarning | undefined {
  const name = [...new URL(asked.url).searchParams.keys()].find((each) => SECRET_NAME.test(each))
  if (name === undefined) return undefined
  const message = `The URL seems to hold a secret, ${name}: URLs are shown in pages and logs. Headers never are.`
  return { code: 'key_in_url', message }
}

function described({ answer: { shape, sample } }: Found): LookWarning | undefined {
  if (shape !== 'json' || !/^\{\s*"(openapi|swagger)":/.test(sample?.text ?? '')) return undefined
  return {
    code: 'openapi',
    message: 'This describes an API: Import makes a stream of each of its operations.',
  }
}

function content({ answer: { shape, contentType, arrays } }: Found): LookWarning | undefined {
  if (shape === 'text' || shape === 'binary') {
    const message = `${contentType ?? 'What it sends'} isn't JSON: only hashes are compared, so Weir tells that it changed, not where.`
    return { code: 'not_json', message }
  }
  const loose = arrays.find(({ key }) => key === undefined)
  if (loose === undefined) return undefined
  const message = `Nothing tells the ${loose.members} members of ${loose.path || 'the array'} apart: they are compared by their position.`
  return { code: 'by_position', message }
}

function unfinished({ answer: { kind, isWhole, bodyBytes }, limits }: Found): LookWarning | undefined {
  if (kind === 'sse' || isWhole) return undefined
  if (bodyBytes >= LARGE_BYTES) {
    return { code: 'cut', message: 'Only its beginning was read: what follows was not looked at.' }
  }
  const message = `It was still sending when the look ended; a poll may take ${span(limits.requestTimeoutMs)}.`
  return { code: 'endless', message }
}

function weight({ answer }: Found): LookWarning[] {
  const { kind, wireBytes, bodyBytes, encoding, etag, lastModified } = answer
  if (kind === 'sse' || bodyBytes === 0) return []
  const warnings: LookWarning[] = []
  if (bodyBytes >= LARGE_BYTES) {
    const packed = encoding === null ? ', and uncompressed though gzip was asked for' : ''
    const message = `It is large${packed}: ${(wireBytes / 1e6).toFixed(1)} MB for each poll that finds a change.`
    warnings.push({ code: 'large', message })
  }
  if (etag === null && lastModified === null) {
    const message =
      'It gives neither ETag nor Last-Modified: every poll moves the whole body, changed or not.'
    warnings.push({ code: 'no_validators', message })
  }
  return warnings
}

function slow({ answer: { kind, firstByteMs } }: Found): LookWarning | undefined {
  if (kind === 'sse' || firstByteMs < SLOW_MS) return undefined
  return { code: 'slow', message: `It took ${(firstByteMs / 1_000).toFixed(1)} s to answer.` }
}

function silent({ answer: { kind, status, events, comments } }: Found): LookWarning | undefined {
  if (kind !== 'sse' || status !== 200 || events.length > 0) return undefined
  const heard = comments > 0 ? 'Heartbeats came, but no event' : 'No event came'
  return { code: 'no_event', message: `${heard} while Weir looked: that alone is no fault.` }
}
