import { Problem } from '../errors.ts'

export interface PlacesOptions {
  /** What takes a place, in the plural, for who is refused one. */
  what: string
  /** How many may be under way. */
  atOnce: number
  /** How many of them may be of one holder. Default: all. */
  atOnceEach?: number
  /** How many more may wait; who comes on top is refused. Default: none. */
  waiting?: number
}

/** A bound on work that takes much of memory or of the processor, for all clients of this process together. */
export class Places {
  readonly #options: Required<PlacesOptions>
  readonly #line: (() => void)[] = []
  /** Places of each holder who has one. */
  readonly #held = new Map<string, number>()
  #taken = 0

  constructor(options: PlacesOptions) {
    this.#options = { waiting: 0, atOnceEach: options.atOnce, ...options }
  }

  get taken(): number {
    return this.#taken
  }

  /**
   * Takes a place, if need be after those that wait.
   * @param holder who takes it; left out, the place is nobody's in particular
   * @returns what gives it back; calling it again does nothing
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
      // Who leaves hands the place on.
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

  /** Does something in a place of its own. @throws Problem `too_many` */
  async run<T>(work: () => Promise<T>): Promise<T> {
    const leave = await this.enter()
    try {
      return await work()
    } finally {
      leave()
    }
  }

  /** Counts a place as its holder's. @throws Problem `too_many` */
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
