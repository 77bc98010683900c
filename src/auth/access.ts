import type { Scope } from '../core/sets/scopes.ts'

/** What a route requires: nothing, a token in its path that its handler checks, or a caller with a scope. */
export type RouteAccess = 'open' | 'token' | Scope

/** A registered route: its method, `ALL` for any, and its pattern. */
export interface Route {
  method: string
  path: string
}

/**
 * The decision for every route. A route without one keeps Weir from starting, so nothing is ever served by default.
 *
 * `open`: health checks, and the sign-in page with its assets. `token`: what is pushed, to a URL that can't be guessed.
 * `admin`: API keys, secrets and the queues. Some routes
 * check further, by what a request asks for: deleting many streams, and exporting their secrets.
 */
const ROUTES: Readonly<Record<RouteAccess, readonly string[]>> = {
  open: [
    'GET /assets/:folder/views/access/login.css',
    'GET /assets/:folder/views/layout/weir.css',
    'GET /assets/:folder/views/layout/weir.svg',
    'GET /assets/views/access/login.css',
    'GET /assets/views/layout/weir.css',
    'GET /assets/views/layout/weir.svg',
    'GET /healthz',
    'GET /login',
    'POST /login',
    'GET /readyz',
  ],
  token: ['POST /in/:token'],
  read: [
    'GET /',
    'GET /api/archive',
    'GET /api/audit',
    'GET /api/availability',
    'GET /api/change',
    'GET /api/channels',
    'GET /api/channels/:id',
    'GET /api/channels/:id/deliveries',
    'GET /api/incidents',
    'GET /api/incidents/:id',
    'GET /api/keys',
    'GET /api/keys/:id',
    'GET /api/report',
    'GET /api/rules',
    'GET /api/rules/:id',
    'GET /api/savings',
    'GET /api/settings',
    'GET /api/silences',
    'GET /api/silences/:id',
    'GET /api/size',
    'GET /api/status',
    'GET /api/storage',
    'GET /api/streams',
    'GET /api/streams/:id',
    'GET /api/streams/:id/availability',
    'GET /api/streams/:id/cache',
    'GET /api/streams/:id/change',
    'GET /api/streams/:id/cpu',
    'GET /api/streams/:id/diff',
    'GET /api/streams/:id/document',
    'GET /api/streams/:id/events',
    'GET /api/streams/:id/latency',
    'GET /api/streams/:id/logs',
    'GET /api/streams/:id/report',
    'GET /api/streams/:id/savings',
    'GET /api/streams/:id/size',
    'GET /api/streams/:id/status',
    'GET /api/streams/:id/twin',
    'GET /api/streams/:id/versions',
    'GET /api/streams/export',
    'GET /api/topology',
    'GET /api/topology/declared',
    'GET /api/topology/events',
    'GET /api/topology/services/:id/faults',
    'GET /api/topology/timeline',
    'GET /api/twins',
    'GET /archive',
    'GET /assets/*',
    'GET /audit',
    'GET /channels',
    'GET /channels/:id',
    'GET /channels/:id/live',
    'GET /channels/live',
    'GET /diagram',
    'GET /events',
    'GET /home/live',
    'GET /incidents',
    'GET /incidents/:id',
    'GET /incidents/:id/live',
    'GET /incidents/live',
    'GET /jobs',
    'GET /jobs/*',
    'GET /jobs/static/*',
    'POST /logout',
    'GET /metrics',
    'GET /openapi',
    'GET /openapi/json',
    'GET /proxy/*',
    'GET /pulse',
    'GET /report',
    'GET /rules',
    'GET /settings',
    'POST /settings/preferences',
    'GET /silences',
    'GET /silences/live',
    'GET /storage',
    'GET /streams',
    'GET /streams/:id',
    'GET /streams/:id/charts',
    'GET /streams/:id/document',
    'GET /streams/:id/edit',
    'GET /streams/:id/entries/:seq',
    'GET /streams/:id/incidents',
    'GET /streams/:id/live',
    'GET /streams/:id/notified',
    'GET /streams/:id/report',
    'GET /streams/import',
    'GET /streams/live',
    'GET /streams/new',
    'GET /topology',
    'GET /twins',
  ],
  operate: [
    'POST /activate',
    'POST /api/archive/run',
    'POST /api/archive/test',
    'POST /api/channels/:id/resume',
    'POST /api/channels/:id/suspend',
    'POST /api/channels/:id/test',
    'POST /api/deliveries/:id/replay',
    'POST /api/incidents/:id/acknowledge',
    'POST /api/report/link',
    'POST /api/rules',
    'DELETE /api/rules/:id',
    'PATCH /api/rules/:id',
    'POST /api/silences',
    'DELETE /api/silences/:id',
    'PATCH /api/silences/:id',
    'POST /api/streams',
    'DELETE /api/streams/:id',
    'PATCH /api/streams/:id',
    'POST /api/streams/:id/cpu',
    'POST /api/streams/:id/notify',
    'POST /api/streams/:id/push-url',
    'POST /api/streams/:id/report/link',
    'POST /api/streams/:id/start',
    'POST /api/streams/:id/stop',
    'POST /api/streams/:id/twin',
    'POST /api/streams/bulk',
    'POST /api/streams/import',
    'POST /api/streams/preview',
    'POST /api/streams/start',
    'POST /api/streams/stop',
    'POST /api/topology',
    'DELETE /api/topology/declared',
    'PUT /api/topology/declared',
    'DELETE /api/topology/services/:id/faults',
    'PUT /api/topology/services/:id/faults',
    'POST /archive/run',
    'POST /archive/test',
    'POST /channels/:id/resume',
    'POST /channels/:id/suspend',
    'POST /channels/:id/test',
    'POST /deliveries/:id/replay',
    'POST /incidents/:id/acknowledge',
    'POST /rules',
    'POST /rules/:id/remove',
    'POST /rules/:id/toggle',
    'POST /silences',
    'POST /silences/:id/remove',
    'POST /streams',
    'POST /streams/:id/edit',
    'POST /streams/:id/notify',
    'POST /streams/:id/push-url',
    'POST /streams/:id/remove',
    'POST /streams/:id/start',
    'POST /streams/:id/stop',
    'POST /streams/bulk',
    'POST /streams/import',
    'POST /streams/preview',
    'POST /streams/new',
    'POST /topology/declared',
    'POST /topology/requests',
    'POST /twins',
    'POST /v1/traces',
  ],
  admin: [
    'POST /api/backup',
    'POST /api/channels',
    'DELETE /api/channels/:id',
    'PATCH /api/channels/:id',
    'POST /api/keys',
    'DELETE /api/keys/:id',
    'DELETE /api/report/links',
    'POST /channels',
    'POST /channels/:id',
    'POST /channels/:id/remove',
    'ALL /jobs',
    'ALL /jobs/*',
    'POST /settings/keys',
    'POST /settings/keys/:id/revoke',
  ],
}

/**
 * Routes that a signed link opens as well, for GET and HEAD, and where their subject is: the `id` in the path, or a
 * parameter.
 */
const LINKED: ReadonlyMap<string, 'id' | 'tag'> = new Map([
  ['GET /streams/:id/report', 'id'],
  ['GET /report', 'tag'],
])

const DECISIONS: ReadonlyMap<string, RouteAccess> = new Map(
  Object.entries(ROUTES).flatMap(([access, names]) => names.map((name) => [name, access as RouteAccess])),
)

/** Every route with its decision. */
export const ACCESS: Iterable<readonly [name: string, access: RouteAccess]> = DECISIONS

/** Routes that only an admin may use, as method and pattern. */
export const ADMIN_ROUTES: readonly string[] = ROUTES.admin

/** @returns undefined for a route without a decision: it must be refused */
export function accessOf(method: string, path: string): RouteAccess | undefined {
  // HEAD is answered by the handlers of GET.
  const known = method === 'HEAD' ? 'GET' : method
  return DECISIONS.get(`${known} ${path}`) ?? DECISIONS.get(`ALL ${path}`)
}

/** Whether a signed link may open a route; every other needs a caller. */
export function isLinked(method: string, path: string): boolean {
  return (method === 'GET' || method === 'HEAD') && LINKED.has(`GET ${path}`)
}

/** The parameter with what a link to this route is about; undefined if that is in the path. */
export function linkParameter(path: string): 'tag' | undefined {
  const part = LINKED.get(`GET ${path}`)
  return part === 'id' ? undefined : part
}

/** @throws Error naming each route that has no decision */
export function checkDecided(routes: Iterable<Route>): void {
  const undecided = [...routes].filter(({ method, path }) => !DECISIONS.has(`${method} ${path}`))
  if (undecided.length === 0) return
  const names = undecided.map(({ method, path }) => `${method} ${path}`).join(', ')
  throw new Error(`No access decision for ${names}; add one to src/auth/access.ts`)
}
