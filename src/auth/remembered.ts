/** Values kept at a time; beyond it, the one that was read first goes. */
const MAX_VALUES = 2_000

/**
 * What was read a moment ago, so that not each request reads it; who asks meanwhile waits for the same reading. What
 * isn't there is not remembered: names that somebody makes up push out nothing that is.
 */
export class Remembered<T> {
  readonly #values = new Map<string, { value: T; untilMs: number }>()
  readonly #reading = new Map<string, Promise<T | undefined>>()
  readonly #forMs: number
  readonly #now: () => number

  constructor(forMs: number, now: () => number) {
    this.#forMs = forMs
    this.#now = now
  }

  /** Whether it was there when it was last read, however long ago. */
  has(name: string): boolean {
    return this.#values.has(name)
  }

  async get(name: string, read: () => Promise<T | undefined>): Promise<T | undefined> {
    const known = this.#values.get(name)
    if (known !== undefined && this.#now() < known.untilMs) return known.value
    return this.#reading.get(name) ?? this.#read(name, read)
  }

  forget(): void {
    this.#values.clear()
    this.#reading.clear()
  }

  async #read(name: string, read: () => Promise<T | undefined>): Promise<T | undefined> {
    // From before it is read: what changes meanwhile isn't taken for longer.
    const untilMs = this.#now() + this.#forMs
    const reading = read()
    this.#reading.set(name, reading)
    // Forgotten meanwhile, it may be older than what it was forgotten for.
    const isCurrent = () => this.#reading.get(name) === reading
    try {
      const value = await reading
      if (isCurrent()) this.#keep(name, value, untilMs)
      return value
    } finally {
      if (isCurrent()) this.#reading.delete(name)
    }
  }

  #keep(name: string, value: T | undefined, untilMs: number): void {
    this.#values.delete(name)
    if (value === undefined) return
    this.#values.set(name, { value, untilMs })
    const [oldest] = this.#values.keys()
    if (this.#values.size > MAX_VALUES && oldest !== undefined) this.#values.delete(oldest)
  }
}
