import { AsyncLocalStorage } from 'node:async_hooks'
import type { SpanContext } from './span.ts'

/** What is known of the request on whose behalf something happens. */
export interface RequestContext {
  /** For people to find it by: in the answer, in problems, in the log. */
  readonly requestId: string
  /** The pattern of its route; undefined before there is one, and for what has none. */
  route: string | undefined
  /** Its span, where it is traced. */
  readonly span: SpanContext | undefined
}

const contexts = new AsyncLocalStorage<RequestContext>()

/** Does something on behalf of a request, and all that comes of it. */
export function inRequest<T>(context: RequestContext, run: () => T): T {
  return contexts.run(context, run)
}

/** The request on whose behalf this happens; what outlives the request still says so. */
export function currentRequest(): RequestContext | undefined {
  return contexts.getStore()
}
