import type { Config } from '../config.ts'
import { RetryLater } from '../errors.ts'
import { type Rate, TokenBuckets } from './buckets.ts'
import type { Client } from './client.ts'

/** Burst after an idle time, in seconds of the rate. */
const BURST_SECONDS = 5
/** Most APIs counted for one client. At the bound, new subscriptions are refused until some of them stop. */
const MAX_FOLLOWED = 5_000
/** With more clients than this, those without subscriptions are forgotten. */
const MAX_IDLE_CLIENTS = 1_000
/** A stream stops this long after its linger at the latest, when the schedule has run, in milliseconds. */
const REST_SLACK_MS = 30_000
const SECOND_MS = 1_000

type Settings = Pick<Config, 'proxyRatePerHost' | 'proxyRate' | 'proxyLingerMs' | 'given'>

/** An API that a client subscribes to. */
export interface FollowedTarget {
  /** The same for all subscriptions that share one poll. */
  key: string
  url: string
  intervalMs: number
}

/** A refusal with the time to wait. */
export class TooOften extends RetryLater {}

interface Followed {
  host: string
  /** Requests per second that it counts for. */
  perSecond: number
  subscribers: number
  /** When its polls have stopped for certain, in milliseconds; infinite while it has subscribers. */
  endsAtMs: number
}

/** One of the two limits. */
interface Bound {
  setting: string
  rate: Rate
  buckets: TokenBuckets
  isLocalFree: boolean
}

/**
 * Limits the requests per second that one client makes Weir send: to one host (PROXY_RATE_PER_HOST) and to all
 * (PROXY_RATE). Previews and the first poll of a subscription take a token. A subscription also counts with its poll
 * rate, plus one request per linger for its start, until its polls have stopped: so starts and polls together stay
 * within the rate over time. Each process counts for itself.
 */
export class UpstreamRate {
  readonly #perHost: Bound | undefined
  readonly #inAll: Bound | undefined
  readonly #keptMs: number
  readonly #startPerSecond: number
  readonly #now: () => number
  /** By client, then by key. */
  readonly #followed = new Map<string, Map<string, Followed>>()

  /** @param now a monotonic clock, in milliseconds */
  constructor(
    { proxyRatePerHost, proxyRate, proxyLingerMs, given }: Settings,
    now: () => number = () => performance.now(),
  ) {
    const bound = (setting: string, perSecond: number): Bound | undefined => {
      const rate = { perSecond, burst: perSecond * BURST_SECONDS }
      const isLocalFree = !given.has(setting)
      return perSecond === 0
        ? undefined
        : { setting, rate, isLocalFree, buckets: new TokenBuckets(rate, now) }
    }
    this.#perHost = bound('PROXY_RATE_PER_HOST', proxyRatePerHost)
    this.#inAll = bound('PROXY_RATE', proxyRate)
    this.#keptMs = proxyLingerMs + REST_SLACK_MS
    this.#startPerSecond = SECOND_MS / proxyLingerMs
    this.#now = now
  }

  /** Clients with subscriptions that count. */
  get clients(): number {
    return this.#followed.size
  }

  /** Counts one request to a URL. Clients without a limit pass. @throws TooOften */
  take(client: Client | undefined, url: string): void {
    if (client === undefined) return
    const host = hostOf(url)
    this.#spend(client, this.#perHost, `${client.key} ${host}`, host)
    this.#spend(client, this.#inAll, client.key)
  }

  /**
   * Counts a subscription. One to an API that already counts for the client adds nothing.
   * @returns ends the subscription; calling it again does nothing
   * @throws TooOften
   */
  follow(client: Client | undefined, target: FollowedTarget): () => void {
    if (client === undefined || (!isBound(client, this.#perHost) && !isBound(client, this.#inAll)))
      return () => {}
    const list = this.#current(client)
    const followed = list.get(target.key) ?? this.#begin(client, list, target)
    followed.subscribers++
    followed.endsAtMs = Number.POSITIVE_INFINITY
    let isOver = false
    return () => {
      if (isOver) return
      isOver = true
      if (--followed.subscribers === 0) followed.endsAtMs = this.#now() + this.#keptMs
    }
  }

  #begin(client: Client, list: Map<string, Followed>, { key, url, intervalMs }: FollowedTarget): Followed {
    const host = hostOf(url)
    const perSecond = SECOND_MS / intervalMs + this.#startPerSecond
    const all = [...list.values()]
    this.#reckon(
      client,
      this.#perHost,
      all.filter((each) => each.host === host),
      perSecond,
      host,
    )
    this.#reckon(client, this.#inAll, all, perSecond)
    if (all.length >= MAX_FOLLOWED)
      throw new TooOften(
        `You subscribe to ${MAX_FOLLOWED} APIs, the most for one client. Close some first.`,
        this.#keptMs,
      )
    this.take(client, url)
    const followed = { host, perSecond, subscribers: 0, endsAtMs: 0 }
    list.set(key, followed)
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
    if (bound === undefined || !isBound(client, bound)) return
    const sum = all.reduce((total, { perSecond }) => total + perSecond, 0)
    if (sum + more <= bound.rate.perSecond) return
    const used = `${sum.toFixed(1)} of ${bound.rate.perSecond} requests per second${to(host)}`
    const detail =
      `This subscription needs ${more.toFixed(1)} requests per second; your others use ${used} (${bound.setting}). ` +
      `Use a longer interval, or close some: a closed one counts for ${this.#keptMs / SECOND_MS} s more.`
    throw new TooOften(detail, this.#keptMs)
  }

  #spend(client: Client, bound: Bound | undefined, key: string, host?: string): void {
    if (bound === undefined || !isBound(client, bound)) return
    const { isAllowed, waitMs } = bound.buckets.take(key, 1)
    if (isAllowed) return
    const seconds = Math.ceil(waitMs / SECOND_MS)
    const detail =
      `You cause more than ${bound.rate.perSecond} requests per second${to(host)}; try again in ${seconds} s. ` +
      `${bound.setting} sets the limit.`
    throw new TooOften(detail, waitMs)
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

function isBound(client: Client, bound: Bound | undefined): boolean {
  return bound !== undefined && !(client.isLocal && bound.isLocalFree)
}

/** Without the port: all ports are one machine. A final dot makes it no other name. */
function hostOf(url: string): string {
  return new URL(url).hostname.replace(/\.$/, '')
}

function to(host: string | undefined): string {
  return host === undefined ? '' : ` to ${host.slice(0, 200)}`
}
