import { type Seen, TooManyGuesses } from '../../auth/door.ts'
import { Problem } from '../../errors.ts'
import { refusal } from '../../proxy/errors.ts'
import { problemResponse } from '../http/problems.tsx'

/** Longest way back from the login page, in characters. */
const MAX_NEXT = 2_000
const LOGGED_OUT = 'You are logged out: nothing was done.'

/** What is answered to whoever the door doesn't know: where people log in, or what programs have to send. */
export async function refuseStranger(
  request: Request,
  seen: Exclude<Seen, { by: 'caller' }>,
  isProxy: boolean,
): Promise<Response> {
  const refuse = (problem: Problem) => (isProxy ? refusal(problem, Date.now()) : problem.toResponse())
  if (seen.by === 'guesser') return refuse(new TooManyGuesses(seen.waitMs))
  const { headers, method } = request
  const { pathname, search } = new URL(request.url)
  const isPage = method === 'GET' && !isProxy && !pathname.startsWith('/api/')
  const wantsPage = isPage && (headers.get('accept') ?? '').includes('text/html')
  // The page stays, with what is typed on it; it says itself where to log in.
  if (headers.has('hx-request')) return problemResponse(new Problem('unauthorized', LOGGED_OUT), request)
  if (wantsPage && !headers.has('authorization')) return toLogin(pathname + search)
  const detail = seen.wasWrong
    ? 'That is neither WEIR_TOKEN nor a key that is valid: it may be revoked, or expired.'
    : 'Send WEIR_TOKEN or an API key as Bearer token, or as the password of Basic.'
  const response = refuse(new Problem('unauthorized', detail))
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
