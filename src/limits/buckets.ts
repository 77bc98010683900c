/** Clients remembered. Beyond, the one that was away the longest is forgotten: it would begin with a full bucket. */
const MAX_CLIENTS = 10_000
const SECOND_MS = 1_000

export interface Rate {
  /** Tokens that come back, in a second. */
  perSecond: number
  /** Most tokens one client can have saved up. */
  burst: number
}

export interface Taken {
  isAllowed: boolean
  /** Whole tokens left. */
  left: number
  /** Until there is enough for what was refused; 0 if it was allowed. In milliseconds. */
  waitMs: number
}

interface Bucket {
  tokens: number
  /** When `tokens` was right, in milliseconds. */
  at: number
}

/** A bucket of tokens for each client, filled at one rate: what a request costs is taken out, or the request refused. */
export class TokenBuckets {
  readonly rate: Rate
  readonly #now: () => number
  /** In the order of use, the latest last. */
  readonly #buckets = new Map<string, Bucket>()

  /** @param now in milliseconds, of a clock that never goes back */
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
