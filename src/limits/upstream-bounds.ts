import type { Config } from '../config/settings.ts'
import { SECOND_MS } from '../core/time.ts'
import { RetryLater } from '../errors.ts'
import type { Rate } from './buckets.ts'
import type { Client } from './client.ts'

/** Burst after an idle time, in seconds of the rate. */
const BURST_SECONDS = 5
/** A stream stops this long after its linger at the latest, when the schedule has run, in milliseconds. */
const REST_SLACK_MS = 30_000

export type UpstreamSettings = Pick<Config, 'proxyRatePerHost' | 'proxyRate' | 'proxyLingerMs' | 'given'>

/** An API that a client subscribes to. */
export interface FollowedTarget {
  /** The same for all subscriptions that share one poll. */
  key: string
  url: string
  intervalMs: number
}

/** A refusal with the time to wait. */
export class TooOften extends RetryLater {}

/** One of the two bounds. */
export interface Bound {
  setting: string
  rate: Rate
  isLocalFree: boolean
}

/** What one client may make Weir request: PROXY_RATE_PER_HOST and PROXY_RATE. */
export class UpstreamBounds {
  /** Undefined: unlimited. */
  readonly perHost: Bound | undefined
  readonly inAll: Bound | undefined
  /** How long a subscription counts after its end, in milliseconds. */
  readonly keptMs: number
  readonly #startPerSecond: number

  constructor({ proxyRatePerHost, proxyRate, proxyLingerMs, given }: UpstreamSettings) {
    const bound = (setting: string, perSecond: number): Bound | undefined =>
      perSecond === 0
        ? undefined
        : {
            setting,
            rate: { perSecond, burst: perSecond * BURST_SECONDS },
            isLocalFree: !given.has(setting),
          }
    this.perHost = bound('PROXY_RATE_PER_HOST', proxyRatePerHost)
    this.inAll = bound('PROXY_RATE', proxyRate)
    this.keptMs = proxyLingerMs + REST_SLACK_MS
    this.#startPerSecond = SECOND_MS / proxyLingerMs
  }

  /** Requests per second that a subscription counts for: its polls, and one start per linger. */
  perSecondOf({ intervalMs }: FollowedTarget): number {
    return SECOND_MS / intervalMs + this.#startPerSecond
  }

  isBound(client: Client): boolean {
    return binds(this.perHost, client) || binds(this.inAll, client)
  }

  /** The refusal of a request. */
  tooOften({ setting, rate }: Bound, waitMs: number, host?: string): TooOften {
    const seconds = Math.ceil(waitMs / SECOND_MS)
    const detail =
      `You cause more than ${rate.perSecond} requests per second${to(host)}; retry in ${seconds} s. ` +
      `${setting} sets the limit.`
    return new TooOften(detail, waitMs)
  }

  /** The refusal of a subscription that needs `more` requests per second in addition to those already `used`. */
  tooMuch({ setting, rate }: Bound, more: number, used: number, host?: string): TooOften {
    const said = `${used.toFixed(1)} of ${rate.perSecond} requests per second${to(host)}`
    const detail =
      `This subscription needs ${more.toFixed(1)} requests per second; your others use ${said} (${setting}). ` +
      `Use a longer interval, or close some; a closed subscription still counts for ${this.keptMs / SECOND_MS} s.`
    return new TooOften(detail, this.keptMs)
  }

  /** The refusal of one more API. */
  tooMany(most: number): TooOften {
    return new TooOften(
      `You subscribe to ${most} APIs, the most for one client. Close some first.`,
      this.keptMs,
    )
  }
}

export function binds(bound: Bound | undefined, client: Client): bound is Bound {
  return bound !== undefined && !(client.isLocal && bound.isLocalFree)
}

/**
 * Without the port, because all ports are on one machine, and without a trailing dot, which doesn't change the host.
 */
export function hostOf(url: string): string {
  return new URL(url).hostname.replace(/\.$/, '')
}

function to(host: string | undefined): string {
  return host === undefined ? '' : ` to ${host.slice(0, 200)}`
}
