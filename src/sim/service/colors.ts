import { type SimWorld, untilClosed } from '../world.ts'
import { RateLimiter } from './rate-limiter.ts'

/** Per service; beyond it the oldest is dropped. Two activations' worth is more than people can follow. */
export const MAX_WAITING_COLORS = 6
/** For all services: more than a diagram needs, and little work for Weir. */
const LIMIT = { perSecond: 100, burst: 100 }
/** How often to check whether the next one may be sent. */
const PACE_MS = 20

export interface ColorsOptions {
  /** Must not fail; a color that can't be sent is lost. */
  send: (name: string, color: string) => Promise<unknown>
  world: SimWorld
  closing: AbortSignal
}

/** Sends the colors of all services: in order for each service, taking turns, one at a time. */
export class Colors {
  readonly #options: ColorsOptions
  readonly #waiting = new Map<string, string[]>()
  readonly #limiter = new RateLimiter()
  #sending = false

  constructor(options: ColorsOptions) {
    this.#options = options
  }

  push(name: string, color: string): void {
    const waiting = this.#waiting.get(name) ?? []
    this.#waiting.set(name, waiting)
    waiting.push(color)
    if (waiting.length > MAX_WAITING_COLORS) waiting.shift()
    if (!this.#sending) void untilClosed(this.#options.closing, () => this.#drain())
  }

  async #drain(): Promise<void> {
    this.#sending = true
    for (let next = this.#take(); next !== undefined; next = this.#take()) {
      await this.#turn()
      await this.#options.send(...next)
    }
    this.#sending = false
  }

  /** The oldest color of the service whose turn it is, which then goes to the back of the queue. */
  #take(): [name: string, color: string] | undefined {
    for (const [name, colors] of this.#waiting) {
      const color = colors.shift()
      this.#waiting.delete(name)
      if (color === undefined) continue
      if (colors.length > 0) this.#waiting.set(name, colors)
      return [name, color]
    }
    return undefined
  }

  async #turn(): Promise<void> {
    const { world, closing } = this.#options
    while (this.#limiter.take(LIMIT, world.now()) !== undefined) await world.sleep(PACE_MS, closing)
  }
}
