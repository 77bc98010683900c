import { accessOf, type RouteAccess } from '../../auth/access.ts'
import type { Audit, Deed } from '../../auth/audit.ts'
import { type Admission, admit, callerOf } from '../../auth/caller.ts'
import type { Door, Wanted } from '../../auth/door.ts'
import { checkScope, isSafe } from '../../auth/scopes.ts'
import { Problem } from '../../errors.ts'
import { clientAddressOf } from '../../limits/address.ts'
import type { Limited, RateLimit } from '../../limits/rate-limit.ts'
import { refusal } from '../../proxy/errors.ts'
import { outageOf, outageProblem } from '../../storage/errors/outage.ts'
import { tooMany } from '../http/too-many.ts'
import { checkOrigin, checkOwnName, type OriginOptions } from './origin.ts'
import { refuseStranger } from './stranger.ts'

/** The proxy's route. It also stands for target URLs directly after the host, which no route pattern matches. */
export const PROXY_ROUTE = '/proxy/*'
/**
 * Left out of the audit log: preferences are stored only in the browser, and sign-in records itself once the caller
 * is known.
 */
const UNAUDITED: ReadonlySet<string> = new Set(['POST /settings/preferences', 'POST /login'])

type LimitHeaders = Record<string, string>

export interface GateOptions extends OriginOptions {
  door: Door
  audit: Audit
  /** Undefined: requests aren't limited. */
  rateLimit: RateLimit | undefined
}

/** The response to a refused request. */
export class Refused extends Error {
  constructor(readonly response: Response) {
    super('Refused at the gate')
  }
}

/**
 * Decides whether to admit each request, based only on the route it matched: authentication, authorization, rate
 * limits and the audit log.
 */
export class Gate {
  readonly #options: GateOptions
  readonly #deeds = new WeakMap<Request, Deed>()

  constructor(options: GateOptions) {
    this.#options = options
  }

  /** The check that doesn't depend on the route. @throws Problem `forbidden_origin` */
  arrive(request: Request): void {
    if (this.#options.door.isOpen) checkOwnName(request, this.#options)
  }

  /**
   * Admits a request to its route: identifies the caller, and adds changes to the audit log.
   * @param subject the ID in the path
   * @returns headers with the remainder of the client's rate limit
   * @throws Refused, Problem
   */
  async enter(request: Request, route: string, subject?: string): Promise<LimitHeaders> {
    const { method } = request
    const isProxy = route === PROXY_ROUTE
    try {
      const needed = accessOf(method, route)
      if (needed === undefined) throw new Problem('forbidden_scope', 'This operation is not allowed.')
      const headers = await this.#admit(request, needed, isProxy, { route, subject })
      if (!hasNoCaller(needed)) checkScope(callerOf(request), needed)
      if (!isSafe(method) && !UNAUDITED.has(`${method} ${route}`)) await this.#begin(request, route, subject)
      return headers
    } catch (error) {
      // In a form that clients of event streams understand.
      const outage = outageOf(error)
      const problem = outage === undefined ? error : outageProblem(outage)
      if (isProxy && problem instanceof Problem) throw new Refused(refusal(problem, Date.now()))
      throw error
    }
  }

  /**
   * The same for a request that matches no route: without authentication, it gets the same response as for any other
   * path. @throws Refused, Problem
   */
  async miss(request: Request): Promise<void> {
    await this.#admit(request, 'read', false)
  }

  /**
   * Admits a caller that is identified only by the route's handler (sign-in), and records it. @throws Problem
   * `unavailable`
   */
  async admitLate(request: Request, admission: Admission, route: string): Promise<void> {
    admit(request, admission)
    await this.#begin(request, route)
  }

  /** Completes a request's audit record with its outcome. */
  leave(request: Request, outcome: { status: number; subject: string | undefined }): void {
    const deed = this.#deeds.get(request)
    if (deed === undefined) return
    this.#deeds.delete(request)
    this.#options.audit.end(deed, outcome)
  }

  async #begin(request: Request, route: string, subject?: string): Promise<void> {
    const caller = callerOf(request)
    if (caller === undefined) return
    const { method } = request
    const address = clientAddressOf(request) ?? 'unknown'
    const deed = await this.#options.audit.begin({ caller, method, route, subject, address })
    if (deed !== undefined) this.#deeds.set(request, deed)
  }

  async #admit(
    request: Request,
    needed: RouteAccess,
    isProxy: boolean,
    wanted?: Wanted,
  ): Promise<LimitHeaders> {
    const { door, rateLimit } = this.#options
    const route = wanted?.route
    const isOpen = hasNoCaller(needed)
    // An unknown secret counts against the address's rate limit before it costs a database query.
    const isCharged = isOpen || door.mustLookUp(request, wanted)
    const charged = isCharged ? await rateLimit?.takeAddress(request, route, door.isOpen) : undefined
    await refuseTooMany(request, charged, isProxy)
    if (isOpen) {
      // No browser adds a token to a path by itself, so no page can make one send it.
      if (needed === 'open') checkOrigin(request, { how: 'open', isProxy }, this.#options)
      return charged?.headers ?? {}
    }
    const seen = await door.see(request, clientAddressOf(request) ?? '', wanted)
    if (seen.by === 'caller') admit(request, seen)
    const limited = seen.by !== 'caller' && isCharged ? charged : await rateLimit?.take(request, route)
    await refuseTooMany(request, limited, isProxy)
    if (seen.by !== 'caller') throw new Refused(await refuseStranger(request, seen, isProxy))
    checkOrigin(request, { how: seen.how, isProxy }, this.#options)
    return limited?.headers ?? {}
  }
}

/** Whether a route is for everyone, or for whoever has the token in its path. */
function hasNoCaller(needed: RouteAccess): needed is 'open' | 'token' {
  return needed === 'open' || needed === 'token'
}

async function refuseTooMany(
  request: Request,
  limited: Limited | undefined,
  isProxy: boolean,
): Promise<void> {
  if (limited?.problem === undefined) return
  throw new Refused(await tooMany(request, limited.problem, { headers: limited.headers, isProxy }))
}
