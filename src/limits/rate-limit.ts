import type { Config } from '../config/settings.ts'
import { SECOND_MS } from '../core/time.ts'
import { Problem } from '../errors.ts'
import { clientAddressOf, siteOf } from './address.ts'
import { type Taken, TokenBuckets } from './buckets.ts'
import { clientOf } from './client.ts'
import { takeShared } from './shared-buckets.ts'
import type { SharedCounts } from './shared-counts.ts'

/** Cost of a console asset, in requests: it is in memory, compressed, and cached by browsers. */
const ASSET_COST = 0.1
/** Used for monitoring: a refusal would look like an outage. */
const FREE_ROUTES = new Set(['/healthz', '/readyz'])

/** The outcome of the limit for a request. */
export interface Limited {
  /** The refusal; omitted if the request may proceed. */
  problem?: Problem
  headers: Record<string, string>
}

/**
 * Limits requests per client: RATE_LIMIT and RATE_BURST, for each key and each address. What the count of this process
 * allows is also counted across processes, if Redis is available; a request refused here costs nothing there.
 */
export class RateLimit {
  readonly #isLocalFree: boolean
  readonly #buckets: TokenBuckets | undefined
  readonly #shared: SharedCounts | undefined

  constructor(
    config: Pick<Config, 'rateLimit' | 'rateBurst' | 'given'>,
    { shared, now }: { shared?: SharedCounts | undefined; now?: () => number } = {},
  ) {
    const { rateLimit, rateBurst } = config
    this.#isLocalFree = !config.given.has('RATE_LIMIT')
    this.#shared = shared
    const rate = { perSecond: rateLimit, burst: rateBurst }
    this.#buckets = rateLimit === 0 ? undefined : new TokenBuckets(rate, now)
  }

  /**
   * Counts a request for its caller. Call it once the gate knows who that is, if anybody.
   * @param route the matched route; undefined if none
   * @returns undefined if there is no limit
   */
  async take(request: Request, route: string | undefined): Promise<Limited | undefined> {
    const client = clientOf(request)
    if (client === undefined || (client.isLocal && this.#isLocalFree)) return undefined
    return this.#take(client.key, route)
  }

  /** Counts a request by its address alone; `isLocal`: it can only come from this machine. */
  async takeAddress(
    request: Request,
    route: string | undefined,
    isLocal: boolean,
  ): Promise<Limited | undefined> {
    const address = clientAddressOf(request)
    if (address === undefined || (isLocal && this.#isLocalFree)) return undefined
    return this.#take(siteOf(address), route)
  }

  /** Counts a request for what its token is for. */
  takeToken(subject: string, route: string): Promise<Limited | undefined> {
    return this.#take(`token:${subject}`, route)
  }

  async #take(client: string, route: string | undefined): Promise<Limited | undefined> {
    const buckets = this.#buckets
    if (buckets === undefined || (route !== undefined && FREE_ROUTES.has(route))) return undefined
    const taken = await this.#count(buckets, client, route?.startsWith('/assets/') ? ASSET_COST : 1)
    const headers = headersOf(taken, buckets.rate)
    if (taken.isAllowed) return { headers }
    const seconds = Math.ceil(taken.waitMs / SECOND_MS)
    const detail =
      `More than ${buckets.rate.perSecond} requests per second. Try again in ${seconds} s. ` +
      'RATE_LIMIT and RATE_BURST set the limit.'
    return {
      problem: new Problem('too_many', detail),
      headers: { ...headers, 'Retry-After': String(seconds) },
    }
  }

  async #count(buckets: TokenBuckets, client: string, cost: number): Promise<Taken> {
    const own = buckets.take(client, cost)
    if (!own.isAllowed || this.#shared === undefined) return own
    const bucket = { key: `requests:${client}`, rate: buckets.rate }
    return (await takeShared(this.#shared, [bucket], cost)) ?? own
  }
}

/**
 * The quota is the capacity of a bucket, the window the time that an empty one takes to fill.
 * @see https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-ratelimit-headers-10
 */
function headersOf({ left }: Taken, { perSecond, burst }: { perSecond: number; burst: number }) {
  const untilFull = Math.ceil((burst - left) / perSecond)
  return {
    'RateLimit-Policy': `"default";q=${burst};w=${Math.max(1, Math.ceil(burst / perSecond))}`,
    RateLimit: `"default";r=${left};t=${untilFull}`,
  }
}
