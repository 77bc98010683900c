/** Values kept at a time; beyond it, the one that was read first goes. */
const MAX_VALUES = 2_000

/** What was read a moment ago, so that not each request reads it; who asks meanwhile waits for the same reading. */
export class Remembered<T> {
  readonly #values = new Map<string, { value: Promise<T>; untilMs: number }>()
  readonly #forMs: number
  readonly #now: () => number

  constructor(forMs: number, now: () => number) {
    this.#forMs = forMs
    this.#now = now
  }

  get(name: string, read: () => Promise<T>): Promise<T> {
    const known = this.#values.get(name)
    if (known !== undefined && this.#now() < known.untilMs) return known.value
    // From before it is read: what changes meanwhile isn't taken for longer.
    const kept = { value: read(), untilMs: this.#now() + this.#forMs }
    this.#values.delete(name)
    this.#values.set(name, kept)
    const [oldest] = this.#values.keys()
    if (this.#values.size > MAX_VALUES && oldest !== undefined) this.#values.delete(oldest)
    kept.value.catch(() => this.#values.get(name) === kept && this.#values.delete(name))
    return kept.value
  }

  forget(): void {
    this.#values.clear()
  }
}
