import { ACCESS, type RouteAccess } from '../../src/auth/access.ts'
import { bodyOf, type RawAnswer, type RawRequest, sendRaw } from '../support/raw.ts'

export const SCOPES = ['read', 'operate', 'admin'] as const
/** Who asks: nobody, or somebody with a key. */
export type Who = 'nobody' | (typeof SCOPES)[number]
export const WHO: readonly Who[] = ['nobody', ...SCOPES]

/** A route as it can be asked for. */
export interface Asked {
  name: string
  access: RouteAccess
  method: string
  path: string
}

const ID = '0190a0a0-0000-7000-8000-000000000000'
/** Paths that answer everybody, behind which others could be hidden. */
export const OPEN_PATHS = ['/login', '/healthz', '/assets/views/layout/weir.css'] as const
/** Names that a request may call Weir by: the router must take the same path from each. */
export const HOSTS = [
  'a',
  'ab',
  'abc',
  'a:1',
  '1.2',
  'x'.repeat(253),
  '[::1]:80',
  'A.b',
  'localhost.',
] as const
/** What can't be one name. */
export const NO_HOSTS = ['', 'a/b', 'a b', 'a@b', 'a#b', 'a,b', 'a:99999'] as const

/** Every route that has a decision, with something for what its pattern leaves open. */
export function allRoutes(): Asked[] {
  return [...ACCESS].map(([name, access]) => {
    const [method = '', pattern = ''] = name.split(' ')
    const path = pattern
      .replace('/proxy/*', '/proxy/http://127.0.0.1:1/')
      .replace('/:folder/', '/v-0000000000000000/')
      .replace('/assets/*', '/assets/views/layout/client/console.ts')
      .replace(/:\w+/g, ID)
      .replace('*', 'api/queues')
    return { name, access, method: method === 'ALL' ? 'PUT' : method, path }
  })
}

/** Whether somebody may use a route. */
export function mayUse(who: Who, access: RouteAccess): boolean {
  if (access === 'open' || access === 'token') return true
  return who !== 'nobody' && SCOPES.indexOf(who) >= SCOPES.indexOf(access)
}

/** What an answer says about who asked: that they may, that they must say who they are, or that it isn't theirs. */
export function judged(answer: RawAnswer): 'let in' | 'unknown' | 'forbidden' | 'bad request' {
  const body = bodyOf(answer)
  if (answer.status === 400 && body.includes('Host: ')) return 'bad request'
  if (answer.status === 401 || body.includes('"status":40101')) return 'unknown'
  return answer.status === 403 && body.includes('"forbidden_scope"') ? 'forbidden' : 'let in'
}

/** What must become of a request for a route. */
export function expected(who: Who, access: RouteAccess): ReturnType<typeof judged> {
  if (mayUse(who, access)) return 'let in'
  return who === 'nobody' ? 'unknown' : 'forbidden'
}

export interface Target {
  method: string
  target: string
  hosts: readonly string[]
  secret: string | undefined
}

/** Asks as nobody's library would. */
export function askRaw(base: string, { method, target, hosts, secret }: Target): Promise<RawAnswer> {
  const authorization = secret === undefined ? [] : [`Authorization: Bearer ${secret}`]
  const headers = [...hosts.map((host) => `Host: ${host}`), ...authorization]
  const request: RawRequest = { method, target, headers }
  return sendRaw(base, request)
}

/** Does something with each, some at a time, in order of their beginning. */
export async function each<T>(
  items: readonly T[],
  act: (item: T) => Promise<void>,
  atOnce = 16,
): Promise<void> {
  const left = [...items]
  const lane = async () => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) await act(next)
  }
  await Promise.all(Array.from({ length: atOnce }, lane))
}
