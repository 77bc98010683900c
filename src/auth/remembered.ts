/** Maximum number of values cached; beyond it, the oldest is evicted. */
const MAX_VALUES = 2_000

/**
 * A short-lived cache, so that not every request reads the database; concurrent requests share one read. Misses aren't
 * cached: made-up names can't evict real values.
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

  /** Whether the value existed when last read, however long ago. */
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
    // Counted from before the read: a change meanwhile isn't hidden for longer.
    const untilMs = this.#now() + this.#forMs
    const reading = read()
    this.#reading.set(name, reading)
    // Evicted meanwhile: this value may be older than the change that evicted it.
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
