import { type RequestIdentity, TooManyGuesses } from '../../auth/door.ts'
import { Problem } from '../../errors.ts'
import { refusal } from '../../proxy/errors.ts'
import { problemResponse } from '../http/problems.tsx'

/** Longest path to return to after signing in, in characters. */
const MAX_NEXT = 2_000
const NO_LINK = 'This link is invalid, or it has expired or been revoked. Ask for a new one.'
const LOGGED_OUT = "You're signed out. Nothing was changed."

/**
 * The response to a request without valid credentials: browsers go to the sign-in page, programs learn what to send.
 */
export async function refuseStranger(
  request: Request,
  seen: Exclude<RequestIdentity, { by: 'caller' }>,
  isProxy: boolean,
): Promise<Response> {
  const refuse = (problem: Problem) => (isProxy ? refusal(problem, Date.now()) : problem.toResponse())
  if (seen.by === 'guesser') return refuse(new TooManyGuesses(seen.waitMs))
  const { headers, method } = request
  const { pathname, search } = new URL(request.url)
  const isPage = method === 'GET' && !isProxy && !pathname.startsWith('/api/')
  const wantsPage = isPage && (headers.get('accept') ?? '').includes('text/html')
  // The page stays, with what was typed on it; its script shows a link to the sign-in page.
  if (headers.has('hx-request')) return problemResponse(new Problem('unauthorized', LOGGED_OUT), request)
  // Whoever was given a link can't sign in.
  if (seen.isByLink) return problemResponse(new Problem('unauthorized', NO_LINK), request)
  if (wantsPage && !headers.has('authorization')) return toLogin(pathname + search)
  const detail = seen.wasWrong
    ? 'Invalid token or API key: it may be revoked or expired.'
    : 'Send WEIR_TOKEN or an API key as a Bearer token, or as the Basic password.'
  const response = refuse(new Problem('unauthorized', detail))
  // A browser would prompt for a password on top of the page; there is a sign-in page for that.
  const challenge = isBrowser(headers) ? 'Bearer realm="Weir"' : 'Basic realm="Weir", charset="UTF-8"'
  response.headers.set('WWW-Authenticate', challenge)
  return response
}

/** Redirects to the sign-in page, which then returns to the requested page. */
function toLogin(next: string): Response {
  const isWorth = next !== '/' && next.length <= MAX_NEXT
  const to = isWorth ? `/login?${new URLSearchParams({ next })}` : '/login'
  return new Response(null, { status: 303, headers: { Location: to, 'Cache-Control': 'no-store' } })
}

function isBrowser(headers: Headers): boolean {
  return headers.has('sec-fetch-mode') || (headers.get('user-agent') ?? '').startsWith('Mozilla/')
}
