import { timingSafeEqual } from 'node:crypto'
import { sha256 } from '../core/document.ts'
import { Problem } from '../errors.ts'
import { refusal } from '../proxy/errors.ts'
import { isProxyPath, tokenOf } from '../proxy/target.ts'

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS'])
/** Answered without the token: whoever restarts Weir must be able to ask whether it lives. */
const OPEN_PATHS = new Set(['/healthz'])

export interface GuardOptions {
  token: string | undefined
  /** Other origins whose pages may subscribe to the proxy. */
  proxyOrigins: readonly string[]
}

/**
 * Whether a request may go on.
 * @returns the answer that refuses it, else undefined.
 */
export function guard(request: Request, { token, proxyOrigins }: GuardOptions): Response | undefined {
  const url = new URL(request.url)
  const isProxy = isProxyPath(url.pathname)
  const origin = request.headers.get('origin')
  if (token !== undefined && !OPEN_PATHS.has(url.pathname) && !carries(request, url, token)) {
    const problem = new Problem(
      'unauthorized',
      'Send WEIR_TOKEN as Bearer token, or as the password of Basic.',
    )
    const response = isProxy ? refusal(problem, Date.now()) : problem.toResponse()
    response.headers.set('WWW-Authenticate', 'Basic realm="Weir", charset="UTF-8"')
    return response
  }
  const isForeign = origin !== null ? !isSameHost(origin, url.host) : isProxy && isCrossSite(request)
  const isAllowed = isProxy && origin !== null && proxyOrigins.includes(origin)
  // A subscription makes Weir ask the target: a page of somebody else's must not be able to.
  if (!isForeign || isAllowed || (SAFE_METHODS.has(request.method) && !isProxy)) return undefined
  const whose = origin?.slice(0, 200) ?? 'another site'
  const problem = new Problem('forbidden_origin', `A page of ${whose} may not do that here.`)
  return isProxy ? refusal(problem, Date.now()) : problem.toResponse()
}

function carries(request: Request, url: URL, token: string): boolean {
  const inUrl = tokenOf(url)
  if (inUrl !== undefined && isEqual(inUrl, token)) return true
  const [scheme, credentials = ''] = (request.headers.get('authorization') ?? '').split(' ')
  if (scheme?.toLowerCase() === 'bearer') return isEqual(credentials, token)
  if (scheme?.toLowerCase() !== 'basic') return false
  const decoded = Buffer.from(credentials, 'base64').toString('utf8')
  return isEqual(decoded.slice(decoded.indexOf(':') + 1), token)
}

/** Compares digests, which have one length: how long the token is doesn't show either. */
function isEqual(given: string, token: string): boolean {
  return timingSafeEqual(Buffer.from(sha256(given)), Buffer.from(sha256(token)))
}

/** A request that another site's page made without saying its origin: for an image, a frame, a link. */
function isCrossSite(request: Request): boolean {
  return request.headers.get('sec-fetch-site') === 'cross-site'
}

function isSameHost(origin: string, host: string): boolean {
  return URL.canParse(origin) && new URL(origin).host === host
}
