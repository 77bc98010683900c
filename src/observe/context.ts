import { AsyncLocalStorage } from 'node:async_hooks'
import type { SpanContext } from './span.ts'

/** The request that caused something. */
export interface RequestContext {
  /** For finding it: in the response, in problems, and in the log. */
  readonly requestId: string
  /** The pattern of its route; undefined before routing, and if there is none. */
  route: string | undefined
  /** Its span, if it is traced. */
  readonly span: SpanContext | undefined
}

const contexts = new AsyncLocalStorage<RequestContext>()

/** Runs something on behalf of a request, including everything asynchronous that it starts. */
export function inRequest<T>(context: RequestContext, run: () => T): T {
  return contexts.run(context, run)
}

/** The request that caused this; also for work that outlives the request. */
export function currentRequest(): RequestContext | undefined {
  return contexts.getStore()
}
