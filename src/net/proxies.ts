import { bareHost, isLoopbackHost, isWithinRange, rangeOf } from './addresses.ts'

/** The HTTP proxies for outgoing requests. */
export interface Proxies {
  /** For `http:` and `https:` URLs; if omitted, they are connected to directly. */
  readonly http?: string | undefined
  readonly https?: string | undefined
  /** As in `NO_PROXY`: hosts with their subdomains, `host:port`, addresses, ranges, or `*`. */
  readonly bypass: readonly string[]
}

/**
 * The proxy for a URL. Loopback never uses one, because the proxy's `localhost` is another machine.
 * @returns undefined for a direct connection
 */
export function proxyFor(url: URL, { http, https, bypass }: Proxies): string | undefined {
  const proxy = url.protocol === 'https:' ? https : http
  if (proxy === undefined) return undefined
  const host = bareHost(url.hostname).replace(/\.$/, '')
  const port = url.port || (url.protocol === 'https:' ? '443' : '80')
  if (isLoopbackHost(host) || bypass.some((entry) => isMatch(entry.toLowerCase(), host, port)))
    return undefined
  return proxy
}

function isMatch(entry: string, host: string, port: string): boolean {
  if (entry === '*') return true
  const range = rangeOf(entry)
  if (range !== undefined) return isWithinRange(host, range)
  const [, name = entry, entryPort] = /^(.*?)(?::(\d+))?$/.exec(entry) ?? []
  if (entryPort !== undefined && entryPort !== port) return false
  const suffix = bareHost(name).replace(/^\*?\./, '')
  return suffix !== '' && (host === suffix || host.endsWith(`.${suffix}`))
}
