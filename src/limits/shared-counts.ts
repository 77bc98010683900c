import type { Redis } from 'ioredis'
import { causeOf } from '../errors.ts'

/** Timeout for a response, in milliseconds. */
const ANSWER_MS = 250
/**
 * After a failure, Redis isn't asked for this long, in milliseconds, so that not every request waits for a Redis that
 * hangs.
 */
const PAUSE_MS = 1_000
const RECONNECT_MS = 1_000
const PREFIX = 'weir:limits:'

/** A Lua script, which Redis runs as one step. It takes the time from Redis: the clocks of processes differ. */
export interface Script {
  readonly lua: string
  readonly sha: string
}

/** Milliseconds since the epoch, for scripts. */
export const NOW = `local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
`

export function script(lua: string): Script {
  return { lua, sha: new Bun.CryptoHasher('sha1').update(lua).digest('hex') }
}

/** Counts shared by all processes that use the same Redis. */
export class SharedCounts {
  readonly #redis: Redis
  readonly #warn: (message: string) => void
  #pausedUntilMs = 0
  #isAway = false
  #isClosed = false
  #unshared = 0

  /** Connects; a Redis that is down is retried in the background. */
  static async open(url: string, warn: (message: string) => void): Promise<SharedCounts> {
    const { Redis } = await import('ioredis')
    const redis = new Redis(url, {
      lazyConnect: true,
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      commandTimeout: ANSWER_MS,
      retryStrategy: () => RECONNECT_MS,
    })
    redis.on('error', () => {})
    await redis.connect().catch(() => {})
    return new SharedCounts(redis, warn)
  }

  private constructor(redis: Redis, warn: (message: string) => void) {
    this.#redis = redis
    this.#warn = warn
  }

  /** How often this process counted on its own because Redis didn't respond. */
  get unshared(): number {
    return this.#unshared
  }

  /** @returns the script's result; undefined if Redis doesn't respond: this process's own count decides */
  async run(of: Script, keys: readonly string[], values: readonly (string | number)[]): Promise<unknown> {
    if (this.#redis.status !== 'ready') this.#failed('not connected')
    else if (performance.now() >= this.#pausedUntilMs) {
      try {
        const answer = await this.#evaluate(of, [keys.length, ...keys.map((key) => PREFIX + key), ...values])
        this.#isAway = false
        return answer
      } catch (error) {
        this.#pausedUntilMs = performance.now() + PAUSE_MS
        this.#failed(causeOf(error))
      }
    }
    this.#unshared++
    return undefined
  }

  close(): void {
    this.#isClosed = true
    this.#redis.disconnect()
  }

  /** Warns once, until Redis responds again. */
  #failed(cause: string): void {
    if (!this.#isAway && !this.#isClosed)
      this.#warn(`Redis doesn't respond (${cause}): each process counts its limits on its own.`)
    this.#isAway = true
  }

  async #evaluate({ lua, sha }: Script, [keys, ...rest]: [number, ...(string | number)[]]): Promise<unknown> {
    try {
      return await this.#redis.evalsha(sha, keys, ...rest)
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error
      return this.#redis.eval(lua, keys, ...rest)
    }
  }
}
