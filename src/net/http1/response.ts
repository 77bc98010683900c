import type { Head } from './head.ts'

/** Statuses whose responses have no body. @see https://fetch.spec.whatwg.org/#null-body-status */
export const WITHOUT_BODY: ReadonlySet<number> = new Set([101, 204, 205, 304])
/** The highest status that a `Response` can be made with. */
const MAX_STATUS = 599

/**
 * @param body ignored if the status excludes one
 * @throws RangeError for a status below those of responses
 */
export function responseOf(
  { status, statusText, headers }: Head,
  body: ReadableStream<Uint8Array> | Uint8Array<ArrayBuffer> | null,
): Response {
  const init = { status: Math.min(status, MAX_STATUS), statusText, headers }
  const response = new Response(WITHOUT_BODY.has(status) ? null : body, init)
  // Upstreams send statuses beyond those of the standard, such as 999.
  return status <= MAX_STATUS ? response : Object.defineProperty(response, 'status', { value: status })
}
