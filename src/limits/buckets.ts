import { SECOND_MS } from '../core/time.ts'

/** Maximum clients. Beyond it, the least recently active one is forgotten: it would start with a full bucket. */
const MAX_CLIENTS = 10_000

export interface Rate {
  /** Tokens added per second. */
  perSecond: number
  /** Capacity of a bucket. */
  burst: number
}

export interface Taken {
  isAllowed: boolean
  /** Whole tokens left. */
  left: number
  /** Time until there are enough tokens for what was refused; 0 if it was allowed. In milliseconds. */
  waitMs: number
}

interface Bucket {
  tokens: number
  /** When `tokens` was computed, in milliseconds. */
  at: number
}

/** A token bucket for each client, all with the same rate. A request takes its cost in tokens, or is refused. */
export class TokenBuckets {
  readonly rate: Rate
  readonly #now: () => number
  /** Ordered by use, the latest last. */
  readonly #buckets = new Map<string, Bucket>()

  /** @param now a monotonic clock, in milliseconds */
  constructor(rate: Rate, now: () => number = () => performance.now()) {
    this.rate = rate
    this.#now = now
  }

  get size(): number {
    return this.#buckets.size
  }

  take(client: string, cost: number): Taken {
    const { perSecond, burst } = this.rate
    const bucket = this.#filled(client)
    const isAllowed = bucket.tokens >= cost
    const waitMs = isAllowed ? 0 : Math.ceil(((cost - bucket.tokens) / perSecond) * SECOND_MS)
    if (isAllowed) bucket.tokens -= cost
    return { isAllowed, left: Math.floor(Math.min(bucket.tokens, burst)), waitMs }
  }

  #filled(client: string): Bucket {
    const { perSecond, burst } = this.rate
    const now = this.#now()
    const bucket = this.#buckets.get(client) ?? { tokens: burst, at: now }
    bucket.tokens = Math.min(burst, bucket.tokens + ((now - bucket.at) / SECOND_MS) * perSecond)
    bucket.at = now
    this.#buckets.delete(client)
    this.#buckets.set(client, bucket)
    if (this.#buckets.size > MAX_CLIENTS) this.#forgetOldest()
    return bucket
  }

  #forgetOldest(): void {
    for (const oldest of this.#buckets.keys()) {
      this.#buckets.delete(oldest)
      return
    }
  }
}
