import type { Config } from '../config.ts'
import { Problem } from '../errors.ts'
import { addressOf, siteOf } from './address.ts'
import { type Taken, TokenBuckets } from './buckets.ts'
import { clientOf } from './client.ts'
import { takeShared } from './shared-buckets.ts'
import type { SharedCounts } from './shared-counts.ts'

/** What a file of the console costs, in requests: it is in memory, compressed, and browsers keep it. */
const ASSET_COST = 0.1
/** Asked for by who watches over Weir: to be refused would look like being down. */
const FREE_ROUTES = new Set(['/healthz', '/readyz'])
const SECOND_MS = 1_000

/** What a request was told of its limit. */
export interface Limited {
  /** The refusal; left out when it may go on. */
  problem?: Problem
  headers: Record<string, string>
}

/**
 * How many requests a client may send: RATE_LIMIT and RATE_BURST, for each key and each address. What this process's own count
 * allows is counted together with the other processes, if there is a place to: who is refused here costs nothing there.
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
   * Counts a request by its caller: to be called once the door has said who that is, if anybody.
   * @param route that was matched; undefined: none
   * @returns undefined for who isn't limited
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
    const address = addressOf(request)
    if (address === undefined || (isLocal && this.#isLocalFree)) return undefined
    return this.#take(siteOf(address), route)
  }

  async #take(client: string, route: string | undefined): Promise<Limited | undefined> {
    const buckets = this.#buckets
    if (buckets === undefined || (route !== undefined && FREE_ROUTES.has(route))) return undefined
    const taken = await this.#count(buckets, client, route?.startsWith('/assets/') ? ASSET_COST : 1)
    const headers = headersOf(taken, buckets.rate)
    if (taken.isAllowed) return { headers }
    const seconds = Math.ceil(taken.waitMs / SECOND_MS)
    const detail =
      `More than ${buckets.rate.perSecond} requests a second; go on in ${seconds} s. ` +
      'Whoever runs this Weir sets it with RATE_LIMIT and RATE_BURST.'
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
 * The quota is what a bucket holds, its window the time that an empty one takes to fill.
 * @see https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-ratelimit-headers-10
 */
function headersOf({ left }: Taken, { perSecond, burst }: { perSecond: number; burst: number }) {
  const untilFull = Math.ceil((burst - left) / perSecond)
  return {
    'RateLimit-Policy': `"default";q=${burst};w=${Math.max(1, Math.ceil(burst / perSecond))}`,
    RateLimit: `"default";r=${left};t=${untilFull}`,
  }
}
