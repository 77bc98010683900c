import type { RateLimitSpec } from '../graph/graph.ts'

const SECOND_MS = 1_000

/** A token bucket. Its limit may change with every request; it is full when a limit first applies. */
export class RateLimiter {
  #limit: RateLimitSpec | undefined
  #tokens = 0
  #filledAt = 0

  /**
   * Takes a token.
   * @returns `undefined` if there was one, else the whole seconds until there is
   */
  take(limit: RateLimitSpec | undefined, now: number): number | undefined {
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
