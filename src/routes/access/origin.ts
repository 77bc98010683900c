import ipaddr from 'ipaddr.js'
import type { Carried } from '../../auth/caller.ts'
import { isSafe } from '../../auth/scopes.ts'
import { Problem } from '../../errors.ts'

export interface OriginOptions {
  /** Other origins whose pages may subscribe to the proxy. */
  proxyOrigins: readonly string[]
  /** Where people reach this Weir; undefined: where it listens. */
  publicUrl: string | undefined
}

/** What a request is for, as far as a page of another site must not be able to make a browser send it. */
export interface Sent {
  /** How its caller is known; `open` also where none is asked for. */
  how: Carried
  /** Whether it subscribes to the proxy: that makes Weir ask the target, which is more than reading. */
  isProxy: boolean
}

/** @throws Problem `forbidden_origin` for what a page of another site made a browser send */
export function checkOrigin(request: Request, { how, isProxy }: Sent, options: OriginOptions): void {
  if (isSafe(request.method) && !isProxy) return
  const origin = request.headers.get('origin')
  if (origin === null) {
    if (!isForeignSite(request, how)) return
    throw new Problem('forbidden_origin', 'A page of another site may not do that here.')
  }
  if (isProxy && options.proxyOrigins.includes(origin)) return
  if (isOwnOrigin(origin, request, options)) return
  const detail = `A page of ${origin.slice(0, 200)} may not do that here.`
  throw new Problem(
    'forbidden_origin',
    isOtherScheme(origin, request) ? `${detail} ${SCHEME_ADVICE}` : detail,
  )
}

/**
 * Whether a request that needs no secret was meant for this machine. A site's name may be made to lead to 127.0.0.1
 * once its page is loaded: then the page is of the same origin, and only the name tells.
 * @throws Problem `forbidden_origin`
 */
export function checkOwnName({ url }: Request, { publicUrl }: OriginOptions): void {
  const { hostname, host } = new URL(url)
  if (hostname === 'localhost' || hostname.endsWith('.localhost')) return
  if (ipaddr.isValid(hostname.replace(/^\[(.*)\]$/, '$1'))) return
  if (publicUrl !== undefined && host === new URL(publicUrl).host) return
  const detail = `Without WEIR_TOKEN, Weir answers to localhost alone, not to ${host.slice(0, 200)}.`
  throw new Problem('forbidden_origin', `${detail} Set PUBLIC_URL to where it is reached, or a token.`)
}

const SCHEME_ADVICE =
  'If it is this Weir, behind something that speaks https, set PUBLIC_URL, or have that send X-Forwarded-Proto.'

/** Browsers leave `Origin` out of some requests, and then say by Sec-Fetch-Site where it comes from. */
function isForeignSite({ headers }: Request, how: Carried): boolean {
  const site = headers.get('sec-fetch-site')
  if (site !== null) return site !== 'same-origin' && site !== 'none'
  // No browser of these years says neither: what came with a cookie all the same isn't trusted.
  return how === 'cookie'
}

/** An origin is its scheme, too: a page that came in the clear may be anybody's. */
function isOwnOrigin(origin: string, request: Request, { publicUrl }: OriginOptions): boolean {
  if (publicUrl !== undefined && origin === new URL(publicUrl).origin) return true
  return origin === servedOrigin(request)
}

/** Where a browser believes to be; no page of another site can have a browser send X-Forwarded-Proto. */
function servedOrigin({ url, headers }: Request): string | undefined {
  const { protocol, host } = new URL(url)
  const forwarded = headers.get('x-forwarded-proto')?.split(',')[0]?.trim()
  const scheme = forwarded === undefined ? protocol : `${forwarded}:`
  return URL.parse(`${scheme}//${host}`)?.origin
}

function isOtherScheme(origin: string, { url }: Request): boolean {
  return URL.parse(origin)?.host === new URL(url).host
}
