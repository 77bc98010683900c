import { callerOf } from '../auth/caller.ts'
import { areEventStreamHeaders } from '../core/sse.ts'
import { isProxyPath } from '../proxy/target.ts'
import { inRequest, type RequestContext } from './context.ts'
import type { Log } from './log.ts'
import { Counter, counter, gauge, histogram, LabelledHistogram, type MetricFamily } from './metrics.ts'
import { readTraceparent, type SpanContext } from './span.ts'
import type { Tracer } from './tracer.ts'

/** In seconds, until the response begins, which is all there is to measure of an event stream. */
const SECONDS_BUCKETS = [0.005, 0.025, 0.1, 0.5, 1, 2.5, 10]
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])
/** A safe ID from the caller: no characters that could be misread in a log line. */
const SANE_ID = /^[\w.:/+=-]{1,128}$/
/** Requested every few seconds; their 503s aren't worth a log line. */
const PROBES = new Set(['/healthz', '/readyz', '/metrics'])
/** Spans that Weir sends to itself must not create more spans. */
const SPANS = '/v1/traces'
/** These routes are logged without the rest of their path, which may be a URL with secrets, or is a token. */
const OPEN_END = /\*$|\/:token$/

export interface RequestsDeps {
  log: Log
  tracer: Tracer | undefined
}

interface Seen {
  request: Request
  pathname: string
  context: RequestContext
  parent: SpanContext | undefined
  begun: number
  startedAt: number
}

/** Gives every request an ID, counts it, and logs its outcome. */
export class Requests {
  readonly #deps: RequestsDeps
  readonly #counts = new Counter<'method' | 'route' | 'status'>()
  readonly #seconds = new LabelledHistogram<'method' | 'route'>(SECONDS_BUCKETS)
  #open = 0

  constructor(deps: RequestsDeps) {
    this.#deps = deps
  }

  /** Responds to a request; the response and any problem in it carry the request's ID. */
  async answer(
    request: Request,
    answer: (request: Request) => Promise<Response> | Response,
  ): Promise<Response> {
    const seen = this.#see(request)
    this.#open++
    try {
      const response = await inRequest(seen.context, async () => {
        const made = await withRequestId(await answer(request), seen)
        this.#tell(seen, made.status)
        return made
      })
      return response
    } finally {
      this.#open--
    }
  }

  *families(): Iterable<MetricFamily> {
    yield counter(
      'weir_http_requests_total',
      'HTTP requests by route; `none`: no route, rejected by authentication, or a proxy target.',
      this.#counts.samples(),
    )
    yield histogram(
      'weir_http_request_duration_seconds',
      'Time from request to start of response.',
      this.#seconds,
    )
    yield gauge('weir_http_requests_open', 'Requests without a response so far.', this.#open)
  }

  #see(request: Request): Seen {
    const { tracer } = this.#deps
    const pathname = new URL(request.url).pathname
    const parent = tracer && readTraceparent(request.headers.get('traceparent'))
    const given = request.headers.get('x-request-id')
    const context: RequestContext = {
      requestId: given !== null && SANE_ID.test(given) ? given : Bun.randomUUIDv7(),
      route: undefined,
      span: isTraced(pathname) ? tracer?.begin(parent) : undefined,
    }
    return { request, pathname, context, parent, begun: performance.now(), startedAt: tracer?.now() ?? 0 }
  }

  #tell({ request, pathname, context, parent, begun, startedAt }: Seen, status: number): void {
    const { log, tracer } = this.#deps
    const route = context.route ?? 'none'
    const method = METHODS.has(request.method) ? request.method : 'other'
    const ms = performance.now() - begun
    this.#counts.add({ method, route, status: String(status) })
    this.#seconds.observe({ method, route }, ms / 1_000)
    const level = status >= 500 && !PROBES.has(pathname) ? 'info' : 'debug'
    if (log.writes(level)) {
      const path = context.route === undefined || OPEN_END.test(route) ? undefined : pathname.slice(0, 200)
      const caller = callerOf(request)?.id
      log[level](`${method} ${route}`, { status, ms: Math.round(ms * 10) / 10, path, caller })
    }
    if (context.span === undefined) return
    tracer?.end(context.span, parent, {
      name: `${method} ${route}`,
      kind: 'server',
      startedAt,
      attributes: {
        'http.request.method': method,
        'http.route': context.route,
        'http.response.status_code': status,
        'weir.request_id': context.requestId,
      },
      error: status >= 500 ? `${status}` : undefined,
    })
  }
}

function isTraced(pathname: string): boolean {
  return pathname !== SPANS && !PROBES.has(pathname)
}

/**
 * Adds the ID to a response, and to a problem. A proxied event stream goes without: each of its many connections would transfer
 * it.
 * @see https://www.rfc-editor.org/rfc/rfc9457#name-extension-members
 */
async function withRequestId(
  response: Response,
  { pathname, context: { requestId } }: Seen,
): Promise<Response> {
  if (isProxyPath(pathname) && areEventStreamHeaders(response.headers)) return response
  response.headers.set('X-Request-Id', requestId)
  if (response.headers.get('content-type') !== 'application/problem+json') return response
  const { status, headers } = response
  const text = await response.text()
  headers.delete('content-length')
  // HEAD has no body for it.
  const body = text === '' ? null : JSON.stringify({ ...JSON.parse(text), requestId })
  return new Response(body, { status, headers })
}
