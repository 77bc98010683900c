import { Elysia } from 'elysia'
import { LoginPage } from '../../../views/access/login.tsx'
import type { SessionCookie } from '../../auth/cookie.ts'
import { type Door, TooManyGuesses } from '../../auth/door.ts'
import { SESSION_MS } from '../../auth/sessions.ts'
import { Problem } from '../../errors.ts'
import { clientAddressOf } from '../../limits/address.ts'
import { html } from '../http/html.ts'
import { readForm } from '../http/input.ts'
import { redirect } from '../http/redirect.ts'
import type { Gate } from './gate.ts'
import { readerOf } from './reader.ts'

export interface LoginRoutesDeps {
  door: Door
  cookie: SessionCookie
  gate: Gate
}

/** Largest form of two fields, in bytes. */
const MAX_FORM_BYTES = 8_192
/** Longest path to return to, in characters. */
const MAX_NEXT = 2_000

/** Signs people in and out. */
export function loginRoutes({ door, cookie, gate }: LoginRoutesDeps) {
  return new Elysia({ detail: { hide: true } })
    .get('/login', async ({ request }) => {
      const next = nextOf(new URL(request.url).searchParams.get('next'))
      const seen = await door.see(request, clientAddressOf(request) ?? '')
      if (seen.by === 'caller' && seen.how === 'cookie') return redirect(next)
      return html(<LoginPage reader={readerOf(request)} next={next} isOpen={door.isOpen} />)
    })
    .post('/login', async ({ request, route }) => {
      const { secret = '', next: asked } = await readForm(request, MAX_FORM_BYTES)
      const next = nextOf(asked)
      try {
        const { session, caller } = await door.logIn(secret.trim(), clientAddressOf(request) ?? '')
        await gate.admitLate(request, { caller, how: 'cookie' }, route)
        const set = cookie.setting(request, session, SESSION_MS)
        return new Response(null, { status: 303, headers: { Location: next, 'Set-Cookie': set } })
      } catch (error) {
        if (error instanceof Problem) return refused(request, error, next)
        throw error
      }
    })
    .post('/logout', async ({ request }) => {
      await door.logOut(request)
      const set = cookie.setting(request, '', 0)
      // Cached pages must not be reachable with the Back button.
      const headers = { Location: '/login', 'Set-Cookie': set, 'Clear-Site-Data': '"cache"' }
      return new Response(null, { status: 303, headers })
    })

  async function refused(request: Request, problem: Problem, next: string): Promise<Response> {
    const page = (
      <LoginPage reader={readerOf(request)} next={next} isOpen={door.isOpen} error={problem.detail} />
    )
    const response = await html(page, { status: problem.status })
    if (problem instanceof TooManyGuesses)
      response.headers.set('Retry-After', String(problem.retryAfterSeconds))
    // An authentication scheme that browsers don't prompt for.
    if (problem.code === 'unauthorized') response.headers.set('WWW-Authenticate', 'Bearer realm="Weir"')
    return response
  }
}

/** Where to go after signing in: always a path of this Weir, whatever the link contains. */
export function nextOf(text: string | null | undefined): string {
  if (!text?.startsWith('/') || text.length > MAX_NEXT) return '/'
  const base = 'http://weir.invalid'
  if (!URL.canParse(text, base)) return '/'
  const { origin, pathname, search, hash } = new URL(text, base)
  // Resolving dots may leave two leading slashes, which a browser reads as another host.
  const isHere = origin === base && !pathname.startsWith('//')
  return isHere && pathname !== '/login' && pathname !== '/logout' ? pathname + search + hash : '/'
}
