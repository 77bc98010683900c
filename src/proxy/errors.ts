import { isJsonType, mediaTypeIn } from '../core/sets/media-types.ts'
import { encodeMessage, encodeRetry, SSE_HEADERS } from '../core/sse.ts'
import { HOUR_MS } from '../core/time.ts'
import type { Problem, ProblemCode } from '../errors.ts'
import type { UpstreamErrorCode } from '../streams/ingest/upstream.ts'
import type { Entry, Exchange } from '../streams/recording/entry.ts'

/** Where the error is: in the request, in Weir, or in the followed API. */
export type ErrorFamily = 'subscription' | 'server' | 'source'

/**
 * The data of an `error` event. `status` follows the families of Axway Streams: 4xxxx subscription, 5xxxx server,
 * 7xxxx source; `cause` is its name.
 */
export interface ProxyError {
  family: ErrorFamily
  cause: string
  message: string
  status: number
  /** ISO 8601. */
  timestamp: string
}

/** A refused client reconnects after this, in milliseconds: sooner, it would get the same answer. */
const REFUSED_RETRY_MS = HOUR_MS
/** The same for a client that Weir has no capacity for. */
const LATER_RETRY_MS = 60_000

const SUBSCRIPTION: Partial<Record<ProblemCode, number>> = {
  invalid_field: 40_001,
  unauthorized: 40_101,
  forbidden_origin: 40_301,
  not_allowed: 40_302,
  not_found: 40_401,
  conflict: 40_901,
}
const SERVER: Partial<Record<ProblemCode, number>> = { too_many: 50_301, unavailable: 50_302 }
const INTERNAL = 50_000

/** All except `bad_status`, which is 70000 plus the status. */
const SOURCE: Record<Exclude<UpstreamErrorCode, 'bad_status'>, number> = {
  connection_failed: 70_013,
  host_unknown: 70_014,
  not_allowed: 70_023,
  auth_failed: 70_401,
  too_large: 70_015,
  bad_content_type: 70_016,
  bad_json: 70_017,
  bad_encoding: 70_018,
  pointer_missing: 70_019,
  bad_patch: 70_020,
  ended_early: 70_021,
  stalled: 70_022,
  no_content: 70_204,
  too_many_redirects: 70_310,
  bad_redirect: 70_311,
  bad_handshake: 70_024,
  bad_frame: 70_025,
  closed: 70_026,
  timeout: 70_408,
}
const BAD_STATUS = 70_000

/** The error that subscribers get for an `error` entry of their stream, or for content that isn't a document. */
export function proxyErrorOf(entry: Pick<Entry, 'data' | 'at' | 'exchange'>): ProxyError {
  const { data, at, exchange } = entry
  const { code, message } =
    exchange?.content === undefined ? (JSON.parse(data ?? '{}') as Said) : saidOf(exchange)
  const status = code === 'bad_status' ? BAD_STATUS + (exchange?.response?.status ?? 0) : SOURCE[code]
  return {
    family: 'source',
    cause: code,
    message,
    status: status ?? BAD_STATUS,
    timestamp: new Date(at).toISOString(),
  }
}

interface Said {
  code: UpstreamErrorCode
  message: string
}

/** What a subscriber, who asked for JSON, is told of other content. */
function saidOf({ content, response }: Exchange): Said {
  if (content === 'empty') return { code: 'no_content', message: 'The upstream returned no content.' }
  const type = response?.headers['content-type']
  if (isJsonType(mediaTypeIn(type ?? null).type)) {
    return { code: 'bad_json', message: "The body isn't complete JSON." }
  }
  return {
    code: 'bad_content_type',
    message: `The upstream returned ${type ?? 'no content type'}, not JSON.`,
  }
}

/** The error for a refused request. */
export function errorOfProblem({ code, detail }: Problem, nowMs: number): ProxyError {
  const subscription = SUBSCRIPTION[code]
  return {
    family: subscription === undefined ? 'server' : 'subscription',
    cause: code,
    message: detail,
    status: subscription ?? SERVER[code] ?? INTERNAL,
    timestamp: new Date(nowMs).toISOString(),
  }
}

/**
 * An event stream with a single `error` event, which asks the client to stay away for a while. Clients treat any
 * other response as a broken connection, and never show its body.
 */
export function refusal(problem: Problem, nowMs: number): Response {
  const error = errorOfProblem(problem, nowMs)
  const retryMs = error.family === 'subscription' ? REFUSED_RETRY_MS : LATER_RETRY_MS
  const event = encodeMessage({ event: 'error', id: '0', data: JSON.stringify(error) })
  return new Response(Buffer.concat([encodeRetry(retryMs), event]), { headers: SSE_HEADERS })
}
