import type { EgressFetch } from '../net/egress.ts'
import { currentRequest } from './context.ts'
import { traceparent } from './span.ts'
import type { Tracer } from './tracer.ts'

/**
 * A fetch that records a span for each request until its response begins: a poll, or connecting an event stream,
 * which may then stay open for months. The URL is recorded without its query, which often contains secrets.
 * @param propagates whether to send the trace context to upstreams
 */
export function tracedFetch(fetch: EgressFetch, tracer: Tracer, propagates: boolean): EgressFetch {
  return async (url, init) => {
    const parent = currentRequest()?.span
    const context = tracer.begin(parent)
    const startedAt = tracer.now()
    const target = URL.parse(url)
    const wantsEvents = /event-stream|ndjson/.test(new Headers(init.headers).get('accept') ?? '')
    const attributes = {
      'http.request.method': init.method ?? 'GET',
      'server.address': target?.hostname,
      'server.port': target === null ? undefined : portOf(target),
      'url.full': target === null ? undefined : `${target.origin}${target.pathname}`,
    }
    const over = { name: wantsEvents ? 'connect event stream' : 'poll', kind: 'client' as const, startedAt }
    try {
      const response = await fetch(
        url,
        propagates ? { ...init, headers: withTrace(init.headers, traceparent(context)) } : init,
      )
      const { status } = response
      tracer.end(context, parent, {
        ...over,
        attributes: { ...attributes, 'http.response.status_code': status },
        error: status >= 400 ? `${status}` : undefined,
      })
      return response
    } catch (error) {
      const { code, name } = error as { code?: unknown; name?: string }
      const type = typeof code === 'string' ? code : (name ?? 'error')
      tracer.end(context, parent, { ...over, attributes: { ...attributes, 'error.type': type }, error: type })
      throw error
    }
  }
}

function withTrace(headers: RequestInit['headers'], value: string): Record<string, string> {
  return { ...Object.fromEntries(new Headers(headers)), traceparent: value }
}

function portOf({ port, protocol }: URL): number {
  return Number(port) || (protocol === 'https:' ? 443 : 80)
}
