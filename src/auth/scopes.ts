import { Problem } from '../errors.ts'
import { type Caller, covers, type Scope } from './caller.ts'

const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

/** Whether a method only reads. */
export function isSafe(method: string): boolean {
  return SAFE_METHODS.has(method)
}

/** Changes that anybody may make who gets in: to their own browser, and none. */
const READERS: ReadonlySet<string> = new Set(['POST /settings/preferences', 'POST /logout', 'POST /login'])

/** Changes to who gets in, to where secrets are kept, and to the queues themselves. Patterns of routes. */
export const ADMIN_ROUTES: ReadonlySet<string> = new Set([
  'POST /api/keys',
  'DELETE /api/keys/:id',
  'POST /api/backup',
  'POST /settings/keys',
  'POST /settings/keys/:id/revoke',
  'POST /api/channels',
  'PATCH /api/channels/:id',
  'DELETE /api/channels/:id',
  'POST /channels',
  'POST /channels/:id',
  'POST /channels/:id/remove',
])

/** The board can empty a queue. */
const ADMIN_PATHS = /^\/jobs(\/|$)/

/** The least scope that a request needs; `route` is the pattern that it matched. Removing many needs more: `admin`. */
export function scopeOf(method: string, route: string): Scope {
  if (isSafe(method)) return 'read'
  const name = `${method} ${route}`
  if (READERS.has(name)) return 'read'
  return ADMIN_ROUTES.has(name) || ADMIN_PATHS.test(route) ? 'admin' : 'operate'
}

/** @throws Problem `forbidden_scope` where a caller may not do what needs that scope */
export function checkScope(caller: Caller | undefined, needed: Scope): void {
  if (caller !== undefined && covers(caller.scope, needed)) return
  const whose =
    caller === undefined ? 'Nobody' : `The key "${caller.name}", which has the scope ${caller.scope},`
  throw new Problem('forbidden_scope', `${whose} may not do that: it needs the scope ${needed}.`)
}
