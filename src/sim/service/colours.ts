import { untilClosed, type World } from '../world.ts'
import { RateLimiter } from './rate-limiter.ts'

/** Of one service. At the bound the oldest is dropped: two activations' worth is more than an eye follows. */
export const MAX_WAITING_COLOURS = 6
/** Of all services together: more than a picture needs, and little work for the web program. */
const LIMIT = { perSecond: 100, burst: 100 }
/** Between two looks whether the next may be sent. */
const PACE_MS = 20

export interface ColoursOptions {
  /** Must not fail; one that gets nowhere loses its colour. */
  send: (name: string, color: string) => Promise<unknown>
  world: World
  closing: AbortSignal
}

/** Sends the colours of all services: each one's in order, the services in turn, one at a time. */
export class Colours {
  readonly #options: ColoursOptions
  readonly #waiting = new Map<string, string[]>()
  readonly #limiter = new RateLimiter()
  #sending = false

  constructor(options: ColoursOptions) {
    this.#options = options
  }

  push(name: string, color: string): void {
    const waiting = this.#waiting.get(name) ?? []
    this.#waiting.set(name, waiting)
    waiting.push(color)
    if (waiting.length > MAX_WAITING_COLOURS) waiting.shift()
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

  /** The oldest colour of the service whose turn it is, which then has to wait for all others. */
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
