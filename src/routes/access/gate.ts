import { type Access, accessOf } from '../../auth/access.ts'
import type { Audit, Deed } from '../../auth/audit.ts'
import { type Admission, admit, callerOf } from '../../auth/caller.ts'
import type { Door } from '../../auth/door.ts'
import { checkScope, isSafe } from '../../auth/scopes.ts'
import { Problem } from '../../errors.ts'
import { addressOf } from '../../limits/address.ts'
import type { Limited, RateLimit } from '../../limits/rate-limit.ts'
import { refusal } from '../../proxy/errors.ts'
import { tooMany } from '../http/too-many.ts'
import { checkOrigin, checkOwnName, type OriginOptions } from './origin.ts'
import { refuseStranger } from './stranger.ts'

/** The proxy: `/proxy/<url>` as it is registered, and the target's URL straight after the host, which no pattern fits. */
export const PROXY_ROUTE = '/proxy/*'
/** What only a browser of its reader's knows the difference of, and what records itself once it knows its caller. */
const UNAUDITED: ReadonlySet<string> = new Set(['POST /settings/preferences', 'POST /login'])

type LimitHeaders = Record<string, string>

export interface GateOptions extends OriginOptions {
  door: Door
  audit: Audit
  /** Undefined: requests aren't counted. */
  rateLimit: RateLimit | undefined
}

/** An answer instead of the one that was asked for. */
export class Refused extends Error {
  constructor(readonly response: Response) {
    super('Refused at the gate')
  }
}

/**
 * Decides about every request, by the route that it was matched to and by nothing else: whether a caller is needed, what
 * it may do, how much it may ask, and that it is recorded.
 */
export class Gate {
  readonly #options: GateOptions
  readonly #deeds = new WeakMap<Request, Deed>()

  constructor(options: GateOptions) {
    this.#options = options
  }

  /** What can be said before a route is known. @throws Problem `forbidden_origin` */
  arrive(request: Request): void {
    if (this.#options.door.isOpen) checkOwnName(request, this.#options)
  }

  /**
   * Lets a request in to its route: its caller is known from then on, and what it may change is recorded.
   * @param subject the id that the route was given
   * @returns headers that say what is left of its client's limit
   * @throws Refused, Problem
   */
  async enter(request: Request, route: string, subject?: string): Promise<LimitHeaders> {
    const { method } = request
    const isProxy = route === PROXY_ROUTE
    try {
      const needed = accessOf(method, route)
      if (needed === undefined) throw new Problem('forbidden_scope', 'Nobody may do that.')
      const headers = await this.#admit(request, needed, isProxy, route)
      if (needed !== 'open') checkScope(callerOf(request), needed)
      if (!isSafe(method) && !UNAUDITED.has(`${method} ${route}`)) await this.#begin(request, route, subject)
      return headers
    } catch (error) {
      // As clients of event streams understand it.
      if (isProxy && error instanceof Problem) throw new Refused(refusal(error, Date.now()))
      throw error
    }
  }

  /** The same for a request that no route fits: who is nobody learns no more than that. @throws Refused, Problem */
  async miss(request: Request): Promise<void> {
    await this.#admit(request, 'read', false)
  }

  /** Lets somebody in who is known only after the route was entered, and records that. @throws Problem `unavailable` */
  async admitLate(request: Request, admission: Admission, route: string): Promise<void> {
    admit(request, admission)
    await this.#begin(request, route)
  }

  /** Completes what was recorded of a request by what became of it. */
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
    const address = addressOf(request) ?? 'unknown'
    const deed = await this.#options.audit.begin({ caller, method, route, subject, address })
    if (deed !== undefined) this.#deeds.set(request, deed)
  }

  async #admit(request: Request, needed: Access, isProxy: boolean, route?: string): Promise<LimitHeaders> {
    const { door, rateLimit } = this.#options
    const isOpen = needed === 'open'
    // Secrets that somebody made up cost their address before they cost the database a statement.
    const isCharged = isOpen || door.mustLookUp(request)
    const charged = isCharged ? rateLimit?.takeAddress(request, route, door.isOpen) : undefined
    await refuseTooMany(request, charged, isProxy)
    if (isOpen) {
      checkOrigin(request, { how: 'open', isProxy }, this.#options)
      return charged?.headers ?? {}
    }
    const seen = await door.see(request, addressOf(request) ?? '')
    if (seen.by === 'caller') admit(request, seen)
    const limited = seen.by !== 'caller' && isCharged ? charged : rateLimit?.take(request, route)
    await refuseTooMany(request, limited, isProxy)
    if (seen.by !== 'caller') throw new Refused(await refuseStranger(request, seen, isProxy))
    checkOrigin(request, { how: seen.how, isProxy }, this.#options)
    return limited?.headers ?? {}
  }
}

async function refuseTooMany(
  request: Request,
  limited: Limited | undefined,
  isProxy: boolean,
): Promise<void> {
  if (limited?.problem === undefined) return
  throw new Refused(await tooMany(request, limited.problem, { headers: limited.headers, isProxy }))
}
