import ipaddr from 'ipaddr.js'
import type { Carried } from '../../auth/caller.ts'
import { isSafe } from '../../auth/scopes.ts'
import { Problem } from '../../errors.ts'

export interface OriginOptions {
  /** Other origins whose pages may subscribe to the proxy. */
  proxyOrigins: readonly string[]
  /** Public URL of this Weir. Default: where it listens. */
  publicUrl: string | undefined
}

/** What decides whether a request could be forged by a page on another site (CSRF). */
export interface Sent {
  /** How the caller is authenticated; `open` also for routes without authentication. */
  how: Carried
  /** Whether it subscribes to the proxy: that makes Weir send requests to the target, so it isn't just a read. */
  isProxy: boolean
}

/** @throws Problem `forbidden_origin` for a request that a page on another site made the browser send */
export function checkOrigin(request: Request, { how, isProxy }: Sent, options: OriginOptions): void {
  if (isSafe(request.method) && !isProxy) return
  const origin = request.headers.get('origin')
  if (origin === null) {
    if (!isForeignSite(request, how)) return
    throw new Problem('forbidden_origin', 'Requests from other origins are not allowed.')
  }
  if (isProxy && options.proxyOrigins.includes(origin)) return
  if (isOwnOrigin(origin, request, options)) return
  const detail = `Pages on ${origin.slice(0, 200)} aren't allowed to do this.`
  throw new Problem(
    'forbidden_origin',
    isOtherScheme(origin, request) ? `${detail} ${SCHEME_ADVICE}` : detail,
  )
}

/**
 * Protects a Weir without authentication from DNS rebinding: a site may make its name resolve to 127.0.0.1 once its
 * page is loaded. The page then has the same origin, and only the host name reveals it.
 * @throws Problem `forbidden_origin`
 */
export function checkOwnName({ url }: Request, { publicUrl }: OriginOptions): void {
  const { hostname, host } = new URL(url)
  if (hostname === 'localhost' || hostname.endsWith('.localhost')) return
  if (ipaddr.isValid(hostname.replace(/^\[(.*)\]$/, '$1'))) return
  if (publicUrl !== undefined && host === new URL(publicUrl).host) return
  const detail = `Without WEIR_TOKEN, Weir responds only to localhost, not to ${host.slice(0, 200)}.`
  throw new Problem('forbidden_origin', `${detail} Set PUBLIC_URL to its address, or set WEIR_TOKEN.`)
}

const SCHEME_ADVICE =
  'If Weir is behind a proxy that terminates TLS, set PUBLIC_URL, or have the proxy send X-Forwarded-Proto.'

/** Browsers omit `Origin` from some requests, but then send Sec-Fetch-Site. */
function isForeignSite({ headers }: Request, how: Carried): boolean {
  const site = headers.get('sec-fetch-site')
  if (site !== null) return site !== 'same-origin' && site !== 'none'
  // Current browsers send at least one of them, so a request with a cookie but neither header isn't trusted.
  return how === 'cookie'
}

/** The scheme is part of the origin: a page loaded over plain HTTP could come from anyone on the network. */
function isOwnOrigin(origin: string, request: Request, { publicUrl }: OriginOptions): boolean {
  if (publicUrl !== undefined && origin === new URL(publicUrl).origin) return true
  return origin === servedOrigin(request)
}

/** The origin as the browser sees it. A page on another site can't make a browser send X-Forwarded-Proto. */
function servedOrigin({ url, headers }: Request): string | undefined {
  const { protocol, host } = new URL(url)
  const forwarded = headers.get('x-forwarded-proto')?.split(',')[0]?.trim()
  const scheme = forwarded === undefined ? protocol : `${forwarded}:`
  return URL.parse(`${scheme}//${host}`)?.origin
}

function isOtherScheme(origin: string, { url }: Request): boolean {
  return URL.parse(origin)?.host === new URL(url).host
}
