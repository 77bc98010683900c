import type { Config } from './settings.ts'

/** What `HOST` may be without a token. */
export const LOOPBACK_HOSTS = new Set(['127.0.0.1', '::1', 'localhost'])

/**
 * Whether Weir is reachable only from this machine. A worker doesn't listen, but one with a token belongs to a web
 * process that other machines may reach. A PUBLIC_URL with another host or a trusted proxy means that something in
 * front of Weir exposes it; with PROXY_ORIGINS, pages of other origins reach it through browsers on this machine.
 */
export function isLocalOnly({ host, role, token, ...config }: LocalOptions): boolean {
  const { publicUrl, trustProxy = [], proxyOrigins = [] } = config
  const isFronted = publicUrl !== undefined && !isLoopback(new URL(publicUrl).hostname)
  const hasOtherPages = proxyOrigins.some((origin) => !isLoopback(new URL(origin).hostname))
  const isReached = isFronted || hasOtherPages || trustProxy.length > 0
  return isLoopback(host) && !isReached && (role !== 'worker' || token === undefined)
}

type LocalOptions = Pick<Config, 'host' | 'role' | 'token' | 'publicUrl'> &
  Partial<Pick<Config, 'trustProxy' | 'proxyOrigins'>>

function isLoopback(host: string): boolean {
  return LOOPBACK_HOSTS.has(host.replace(/^\[(.*)\]$/, '$1'))
}
