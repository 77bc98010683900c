import { Problem } from '../errors.ts'

export interface PlacesOptions {
  /** What takes a place, in the plural, for who is refused one. */
  what: string
  /** How many may be under way. */
  atOnce: number
  /** How many more may wait; who comes on top is refused. Default: none. */
  waiting?: number
}

/** A bound on work that takes much of memory or of the processor, for all clients of this process together. */
export class Places {
  readonly #options: Required<PlacesOptions>
  readonly #line: (() => void)[] = []
  #taken = 0

  constructor(options: PlacesOptions) {
    this.#options = { waiting: 0, ...options }
  }

  get taken(): number {
    return this.#taken
  }

  /**
   * Takes a place, if need be after those that wait.
   * @returns what gives it back; calling it again does nothing
   * @throws Problem `too_many`
   */
  async enter(): Promise<() => void> {
    const { what, atOnce, waiting } = this.#options
    if (this.#taken >= atOnce) {
      if (this.#line.length >= waiting) {
        throw new Problem(
          'too_many',
          `${atOnce} ${what} are under way, all that there may be; come back later.`,
        )
      }
      // Who leaves hands the place on.
      await new Promise<void>((resolve) => this.#line.push(resolve))
    } else this.#taken++
    let isOver = false
    return () => {
      if (isOver) return
      isOver = true
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
}
