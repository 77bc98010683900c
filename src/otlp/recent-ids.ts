/** IDs per generation; two generations are kept. */
const MAX_IDS = 100_000

/** Remembers recent IDs: at least the last `max`, at most twice as many. */
export class RecentIds {
  #newer = new Set<string>()
  #older = new Set<string>()

  constructor(readonly max = MAX_IDS) {}

  /** @returns whether it is new */
  add(id: string): boolean {
    if (this.#newer.has(id) || this.#older.has(id)) return false
    if (this.#newer.size >= this.max) {
      this.#older = this.#newer
      this.#newer = new Set()
    }
    this.#newer.add(id)
    return true
  }
}
