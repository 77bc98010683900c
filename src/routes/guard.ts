import ipaddr from 'ipaddr.js'
import { admit } from '../auth/caller.ts'
import { type Door, type Seen, TooManyGuesses } from '../auth/door.ts'
import { isSafe } from '../auth/scopes.ts'
import { Problem } from '../errors.ts'
import { addressOf } from '../limits/address.ts'
import { refusal } from '../proxy/errors.ts'
import { isProxyPath } from '../proxy/target.ts'
import { problemResponse } from './problems.tsx'

/** Whoever restarts Weir must be able to ask whether it lives; and who is to log in must see where. */
const OPEN_PATHS = new Set(['/healthz', '/readyz', '/login'])
const OPEN_ASSETS = /^\/assets\/(v-[0-9a-f]{16}\/)?(weir\.css|weir\.svg|login\.css)$/
/** Longest way back from the login page, in characters. */
const MAX_NEXT = 2_000
const LOGGED_OUT = 'You are logged out: nothing was done.'

export interface GuardOptions {
  door: Door
  /** Other origins whose pages may subscribe to the proxy. */
  proxyOrigins: readonly string[]
  /** Where people reach this Weir; undefined: where it listens. */
  publicUrl: string | undefined
}

/** Whether a path is answered to everybody. */
export function isOpenPath(pathname: string): boolean {
  return OPEN_PATHS.has(pathname) || OPEN_ASSETS.test(pathname)
}

/**
 * Whether a request may go on; if so, its caller is known from then on.
 * @returns the answer that refuses it, else undefined.
 */
export async function guard(request: Request, options: GuardOptions): Promise<Response | undefined> {
  const { door } = options
  const url = new URL(request.url)
  if (door.isOpen && !isOwnName(url, options)) return refuse(url, wrongName(url))
  if (isOpenPath(url.pathname)) return foreign(request, url, 'open', options)
  const seen = await door.see(request, addressOf(request) ?? '')
  if (seen.by !== 'caller') return refuseStranger(request, url, seen)
  admit(request, seen.caller)
  return foreign(request, url, seen.how, options)
}

/** What a page of another site must not be able to make a browser do. */
function foreign(
  request: Request,
  url: URL,
  how: 'cookie' | 'secret' | 'open',
  options: GuardOptions,
): Response | undefined {
  const isProxy = isProxyPath(url.pathname)
  // A subscription makes Weir ask the target: that is more than reading.
  if (isSafe(request.method) && !isProxy) return undefined
  const origin = request.headers.get('origin')
  if (origin !== null && isProxy && options.proxyOrigins.includes(origin)) return undefined
  if (!isForeign(request, url, how, options)) return undefined
  const whose = origin?.slice(0, 200) ?? 'another site'
  return refuse(url, new Problem('forbidden_origin', `A page of ${whose} may not do that here.`))
}

/** Browsers say where a request comes from: by Origin, or where they leave that out, by Sec-Fetch-Site. */
function isForeign(request: Request, url: URL, how: string, { publicUrl }: GuardOptions): boolean {
  const origin = request.headers.get('origin')
  if (origin !== null) {
    if (!URL.canParse(origin)) return true
    const { host } = new URL(origin)
    return host !== url.host && (publicUrl === undefined || host !== new URL(publicUrl).host)
  }
  const site = request.headers.get('sec-fetch-site')
  if (site !== null) return site !== 'same-origin' && site !== 'none'
  // No browser of these years says neither: what came with a cookie all the same isn't trusted to change anything.
  return how === 'cookie' && !isSafe(request.method)
}

function refuseStranger(
  request: Request,
  url: URL,
  seen: Exclude<Seen, { by: 'caller' }>,
): Response | Promise<Response> {
  if (seen.by === 'guesser') return refuse(url, new TooManyGuesses(seen.waitMs))
  const { headers, method } = request
  const isPage = method === 'GET' && !isProxyPath(url.pathname) && !url.pathname.startsWith('/api/')
  const wantsPage = isPage && (headers.get('accept') ?? '').includes('text/html')
  // The page stays, with what is typed on it; it says itself where to log in.
  if (headers.has('hx-request')) return problemResponse(new Problem('unauthorized', LOGGED_OUT), request)
  if (wantsPage && !headers.has('authorization')) return toLogin(url.pathname + url.search)
  const detail = seen.wasWrong
    ? 'That is neither WEIR_TOKEN nor a key that is valid: it may be revoked, or expired.'
    : 'Send WEIR_TOKEN or an API key as Bearer token, or as the password of Basic.'
  const response = refuse(url, new Problem('unauthorized', detail))
  // A browser would ask for a password over the page: its people have a page to log in.
  const challenge = isBrowser(headers) ? 'Bearer realm="Weir"' : 'Basic realm="Weir", charset="UTF-8"'
  response.headers.set('WWW-Authenticate', challenge)
  return response
}

/** To the page where people log in, and from there to where they wanted to go. */
function toLogin(next: string): Response {
  const isWorth = next !== '/' && next.length <= MAX_NEXT
  const to = isWorth ? `/login?${new URLSearchParams({ next })}` : '/login'
  return new Response(null, { status: 303, headers: { Location: to, 'Cache-Control': 'no-store' } })
}

function isBrowser(headers: Headers): boolean {
  return headers.has('sec-fetch-mode') || (headers.get('user-agent') ?? '').startsWith('Mozilla/')
}

function refuse(url: URL, problem: Problem): Response {
  return isProxyPath(url.pathname) ? refusal(problem, Date.now()) : problem.toResponse()
}

/**
 * Whether a request that needs no secret was meant for this machine. A site's name may be made to lead to 127.0.0.1
 * once its page is loaded: then the page is of the same origin, and only the name tells.
 */
function isOwnName({ hostname, host }: URL, { publicUrl }: GuardOptions): boolean {
  if (hostname === 'localhost' || hostname.endsWith('.localhost')) return true
  if (ipaddr.isValid(hostname.replace(/^\[(.*)\]$/, '$1'))) return true
  return publicUrl !== undefined && host === new URL(publicUrl).host
}

function wrongName({ host }: URL): Problem {
  const name = host.slice(0, 200)
  return new Problem(
    'forbidden_origin',
    `Without WEIR_TOKEN, Weir answers to localhost alone, not to ${name}. Set PUBLIC_URL to where it is reached, or a token.`,
  )
}
