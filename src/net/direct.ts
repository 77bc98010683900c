import type { EgressFetch } from './egress.ts'
import { fetchOverSocket } from './http1/socket-fetch.ts'
import { openSocket } from './sockets.ts'

/** As `fetch` opens connections: to whatever address the system finds. */
const overSocket = fetchOverSocket((url, options) => {
  const { hostname, port, protocol } = new URL(url)
  const host = hostname.replace(/^\[|\]$/g, '')
  const isSecure = protocol === 'https:'
  return openSocket({ host, port: Number(port) || (isSecure ? 443 : 80), isSecure }, host, options)
})

/**
 * A `fetch` without checks, for destinations that only the operator can set; all others go through an `Egress`. It
 * uses a proxy only if given one: the environment variables that the runtime would read are removed.
 */
export const directFetch: EgressFetch = (url, init) =>
  hasEmptySegment(url) && init.proxy === undefined ? overSocket(url, init) : globalThis.fetch(url, init)

/** Whether a URL's path begins with two slashes: the runtime's `fetch` would send it with one. */
export function hasEmptySegment(url: string): boolean {
  return URL.parse(url)?.pathname.startsWith('//') ?? false
}
