/** A row that only records that something was seen again is written at most once in this time, in milliseconds. */
const ACTIVITY_EVERY_MS = 60_000

/** Rows that wait to be written, one per key. */
export class Waiting<Row> {
  readonly #rows = new Map<string, Row>()
  /** When rows were last written, in milliseconds since 1970, for as long as that is recent. */
  readonly #writtenAt = new Map<string, number>()
  readonly #join: (older: Row, newer: Row) => Row

  /** @param join Merges two rows with the same key. */
  constructor(join: (older: Row, newer: Row) => Row) {
    this.#join = join
  }

  get(key: string): Row | undefined {
    return this.#rows.get(key)
  }

  /** @param isNews Whether to write it with the next batch, even if the key's last row is recent. */
  add(key: string, row: Row, isNews: boolean): void {
    const known = this.#rows.get(key)
    this.#rows.set(key, known === undefined ? row : this.#join(known, row))
    if (isNews) this.#writtenAt.delete(key)
  }

  drop(key: string): void {
    this.#rows.delete(key)
    this.#writtenAt.delete(key)
  }

  /**
   * Writes the rows that are due, or all.
   * @throws what `write` throws; then the rows wait again.
   */
  async write(now: number, all: boolean, write: (rows: Row[]) => Promise<void>): Promise<void> {
    for (const [key, at] of this.#writtenAt) if (at <= now - ACTIVITY_EVERY_MS) this.#writtenAt.delete(key)
    const due = [...this.#rows].filter(([key]) => all || !this.#writtenAt.has(key))
    if (due.length === 0) return
    for (const [key] of due) {
      this.#rows.delete(key)
      this.#writtenAt.set(key, now)
    }
    try {
      await write(due.map(([, row]) => row))
    } catch (error) {
      for (const [key, row] of due) {
        const newer = this.#rows.get(key)
        this.#rows.set(key, newer === undefined ? row : this.#join(row, newer))
        this.#writtenAt.delete(key)
      }
      throw error
    }
  }
}
