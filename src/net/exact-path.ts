import http from 'node:http'
import https from 'node:https'
import { Readable } from 'node:stream'
import type { EgressFetch } from './egress.ts'

/** Statuses whose responses have no body. @see https://fetch.spec.whatwg.org/#null-body-status */
const WITHOUT_BODY: ReadonlySet<number> = new Set([204, 205, 304])

/** Whether a URL's path begins with two slashes: the runtime's `fetch` would send it with one. */
export function hasEmptySegment(url: string): boolean {
  return URL.parse(url)?.pathname.startsWith('//') ?? false
}

/**
 * A request with its path exactly as written. For `fetch` without a proxy; redirects aren't followed, and bodies aren't
 * decompressed.
 * @throws what a connection fails with, or the signal's reason
 */
export const fetchExactly: EgressFetch = async (text, { method, headers, body, signal, tls }) => {
  const { protocol, hostname, port, pathname, search } = new URL(text)
  const { promise, resolve, reject } = Promise.withResolvers<Response>()
  signal?.throwIfAborted()
  const fields = new Headers(headers)
  const { request } = protocol === 'https:' ? https : http
  const sent = request({
    ...{ protocol, hostname: hostname.replace(/^\[|\]$/g, ''), port, path: pathname + search },
    ...{ method: method ?? 'GET', headers: Object.fromEntries(fields), ...(signal && { signal }) },
    ...(tls && {
      ca: tls.ca as string,
      cert: tls.cert as string,
      key: tls.key as string,
      checkServerIdentity: tls.checkServerIdentity,
      servername: tls.serverName,
    }),
  })
  sent.on('error', (error) => reject(signal?.aborted ? signal.reason : error))
  sent.on('response', (message) => {
    try {
      resolve(responseOf(message))
    } catch (error) {
      // A status or header that no response may have.
      message.destroy()
      reject(Object.assign(error as Error, { code: 'ERR_INVALID_HTTP_RESPONSE' }))
    }
  })
  sent.end(body as string | null | undefined)
  return promise
}

/** @throws RangeError or TypeError for a status or header that a `Response` can't have */
function responseOf(message: http.IncomingMessage): Response {
  const { statusCode: status = 0, statusMessage: statusText = '', rawHeaders } = message
  const headers = new Headers()
  for (let index = 0; index + 1 < rawHeaders.length; index += 2)
    headers.append(rawHeaders[index] as string, rawHeaders[index + 1] as string)
  const isEmpty = WITHOUT_BODY.has(status)
  const init = { status, statusText, headers }
  if (!isEmpty) return new Response(Readable.toWeb(message) as unknown as ReadableStream<Uint8Array>, init)
  message.resume()
  return new Response(null, init)
}
