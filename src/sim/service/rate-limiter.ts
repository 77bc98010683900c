import type { RateLimit } from '../graph/graph.ts'

const SECOND_MS = 1_000

/** A token bucket; its limit may be another at every request, and it is full when one begins to hold. */
export class RateLimiter {
  #limit: RateLimit | undefined
  #tokens = 0
  #filledAt = 0

  /** Whether there is room at `now`: `undefined`, and it is taken; or the whole seconds to wait for some. */
  take(limit: RateLimit | undefined, now: number): number | undefined {
    if (limit === undefined) {
      this.#limit = undefined
      return undefined
    }
    const { perSecond, burst = Math.max(1, Math.ceil(perSecond)), retryAfterSeconds } = limit
    if (this.#limit !== limit) {
      this.#limit = limit
      this.#tokens = burst
    } else {
      const elapsedMs = Math.max(0, now - this.#filledAt)
      this.#tokens = Math.min(burst, this.#tokens + (elapsedMs * perSecond) / SECOND_MS)
    }
    this.#filledAt = now
    if (this.#tokens >= 1) {
      this.#tokens--
      return undefined
    }
    return retryAfterSeconds ?? Math.max(1, Math.ceil((1 - this.#tokens) / perSecond))
  }
}
