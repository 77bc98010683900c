import { Problem } from '../errors.ts'

export interface PlacesOptions {
  /** What the bound is on, in the plural, for the message of a refusal. */
  what: string
  /** Maximum running at a time. */
  atOnce: number
  /** Maximum per holder. Default: no limit of its own. */
  atOnceEach?: number
  /** How many more may wait; further ones are refused. Default: none. */
  waiting?: number
}

/** A bound on work that takes much memory or CPU, for all clients of this process together. */
export class Semaphore {
  readonly #options: Required<PlacesOptions>
  readonly #line: (() => void)[] = []
  /** Number of running holders' units. */
  readonly #held = new Map<string, number>()
  #taken = 0

  constructor(options: PlacesOptions) {
    this.#options = { waiting: 0, atOnceEach: options.atOnce, ...options }
  }

  get taken(): number {
    return this.#taken
  }

  /**
   * Waits for a slot and takes it.
   * @param holder who takes it; omitted: nobody in particular
   * @returns releases it; calling it again does nothing
   * @throws Problem `too_many`
   */
  async enter(holder?: string): Promise<() => void> {
    const { what, atOnce, waiting } = this.#options
    const release = holder === undefined ? undefined : this.#hold(holder)
    if (this.#taken >= atOnce) {
      if (this.#line.length >= waiting) {
        release?.()
        throw new Problem(
          'too_many',
          `The limit of ${atOnce} concurrent ${what} is reached. Try again later.`,
        )
      }
      // A slot is passed on when it is released.
      await new Promise<void>((resolve) => this.#line.push(resolve))
    } else this.#taken++
    let isOver = false
    return () => {
      if (isOver) return
      isOver = true
      release?.()
      const next = this.#line.shift()
      if (next === undefined) this.#taken--
      else next()
    }
  }

  /**
   * Runs some work in a slot.
   * @throws Problem `too_many`
   */
  async run<T>(work: () => Promise<T>): Promise<T> {
    const leave = await this.enter()
    try {
      return await work()
    } finally {
      leave()
    }
  }

  /**
   * Counts a slot for its holder.
   * @throws Problem `too_many`
   */
  #hold(holder: string): () => void {
    const { what, atOnceEach } = this.#options
    const held = this.#held.get(holder) ?? 0
    if (held >= atOnceEach) {
      throw new Problem(
        'too_many',
        `Your limit of ${held} concurrent ${what} is reached. Wait for one to finish.`,
      )
    }
    this.#held.set(holder, held + 1)
    return () => {
      const left = (this.#held.get(holder) ?? 1) - 1
      if (left === 0) this.#held.delete(holder)
      else this.#held.set(holder, left)
    }
  }
}
