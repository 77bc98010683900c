import { TokenBuckets } from './buckets.ts'
import type { Client } from './client.ts'
import {
  type Bound,
  binds,
  type FollowedTarget,
  hostOf,
  UpstreamBounds,
  type UpstreamSettings,
} from './upstream-bounds.ts'

/**
 * Maximum number of APIs counted for one client. At the bound, new subscriptions are refused until some of them stop.
 */
export const MAX_FOLLOWED = 5_000
/** With more clients than this, those without subscriptions are forgotten. */
const MAX_IDLE_CLIENTS = 1_000

interface Followed {
  host: string
  /** Requests per second that it counts for. */
  perSecond: number
  subscribers: number
  /** When its polls have stopped for certain, in milliseconds; infinite while it has subscribers. */
  endsAtMs: number
}

/** Ends a subscription; calling it again does nothing. `isUndone`: it never began, and nothing is polled for it. */
export type Leave = (isUndone?: boolean) => void

/**
 * Limits the requests per second that one client makes Weir send: to one host (PROXY_RATE_PER_HOST) and to all
 * (PROXY_RATE). Previews and the first poll of a subscription take a token. A subscription also counts with its poll
 * rate, plus one request per linger for its start, until its polls have stopped: so starts and polls together stay
 * within the rate over time. This is one process's own count.
 */
export class UpstreamRate {
  readonly bounds: UpstreamBounds
  readonly #perHost: TokenBuckets | undefined
  readonly #inAll: TokenBuckets | undefined
  readonly #now: () => number
  /** By client, then by key. */
  readonly #followed = new Map<string, Map<string, Followed>>()

  /** @param now a monotonic clock, in milliseconds */
  constructor(settings: UpstreamSettings, now: () => number = () => performance.now()) {
    this.bounds = new UpstreamBounds(settings)
    const { perHost, inAll } = this.bounds
    this.#perHost = perHost && new TokenBuckets(perHost.rate, now)
    this.#inAll = inAll && new TokenBuckets(inAll.rate, now)
    this.#now = now
  }

  /** Clients with subscriptions that count. */
  get clients(): number {
    return this.#followed.size
  }

  /** Counts one request to a URL. Clients without a limit pass. @throws TooOften */
  take(client: Client | undefined, url: string): void {
    if (client === undefined) return
    const { perHost, inAll } = this.bounds
    const host = hostOf(url)
    this.#spend(client, perHost, this.#perHost, `${client.key} ${host}`, host)
    this.#spend(client, inAll, this.#inAll, client.key)
  }

  /**
   * Counts a subscription. One to an API that already counts for the client adds nothing.
   * @throws TooOften
   */
  follow(client: Client | undefined, target: FollowedTarget): Leave {
    if (client === undefined || !this.bounds.isBound(client)) return () => {}
    const list = this.#current(client)
    const followed = list.get(target.key) ?? this.#begin(client, list, target)
    const endedAtMs = followed.endsAtMs
    followed.subscribers++
    followed.endsAtMs = Number.POSITIVE_INFINITY
    let isOver = false
    return (isUndone = false) => {
      if (isOver) return
      isOver = true
      if (--followed.subscribers > 0) return
      followed.endsAtMs = isUndone ? endedAtMs : this.#now() + this.bounds.keptMs
    }
  }

  #begin(client: Client, list: Map<string, Followed>, target: FollowedTarget): Followed {
    const { perHost, inAll } = this.bounds
    const host = hostOf(target.url)
    const perSecond = this.bounds.perSecondOf(target)
    const all = [...list.values()]
    const ofHost = all.filter((each) => each.host === host)
    this.#reckon(client, perHost, ofHost, perSecond, host)
    this.#reckon(client, inAll, all, perSecond)
    if (all.length >= MAX_FOLLOWED) throw this.bounds.tooMany(MAX_FOLLOWED)
    this.take(client, target.url)
    const followed = { host, perSecond, subscribers: 0, endsAtMs: 0 }
    list.set(target.key, followed)
    return followed
  }

  /** @throws TooOften when the subscriptions of a client would exceed a rate */
  #reckon(
    client: Client,
    bound: Bound | undefined,
    all: readonly Followed[],
    more: number,
    host?: string,
  ): void {
    if (!binds(bound, client)) return
    const used = all.reduce((total, { perSecond }) => total + perSecond, 0)
    if (used + more > bound.rate.perSecond) throw this.bounds.tooMuch(bound, more, used, host)
  }

  #spend(
    client: Client,
    bound: Bound | undefined,
    buckets: TokenBuckets | undefined,
    key: string,
    host?: string,
  ): void {
    if (buckets === undefined || !binds(bound, client)) return
    const { isAllowed, waitMs } = buckets.take(key, 1)
    if (!isAllowed) throw this.bounds.tooOften(bound, waitMs, host)
  }

  /** What counts for a client now. */
  #current({ key }: Client): Map<string, Followed> {
    this.#forgetOver(key)
    if (this.#followed.size > MAX_IDLE_CLIENTS) {
      for (const client of this.#followed.keys()) this.#forgetOver(client)
    }
    const list = this.#followed.get(key) ?? new Map<string, Followed>()
    this.#followed.set(key, list)
    return list
  }

  #forgetOver(client: string): void {
    const list = this.#followed.get(client) ?? new Map<string, Followed>()
    for (const [key, { endsAtMs }] of list) if (endsAtMs <= this.#now()) list.delete(key)
    if (list.size === 0) this.#followed.delete(client)
  }
}
