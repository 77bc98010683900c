/**
 * Steps for comparing two documents, and for applying a patch: about a quarter of a second, at some 10 ns each. A count rather
 * than a time, so that the same documents give the same patch on every machine, however busy it is.
 */
export const MAX_STEPS = 25_000_000
/**
 * Maximum nesting of a document, in levels: walking it recurses once per level, and `JSON.parse` with a
 * reviver runs out of stack between 4,000 and 5,000.
 */
export const MAX_LEVELS = 2_000

/** A computation that would exceed a bound. */
export class TooMuch extends Error {
  override readonly name = 'TooMuch'
  constructor(
    readonly what: 'steps' | 'bytes' | 'levels',
    message: string,
  ) {
    super(message)
  }
}

/** Counts the steps of a computation, and ends it at the bound. */
export class Work {
  readonly #max: number
  #left: number

  constructor(maxSteps = MAX_STEPS) {
    this.#max = maxSteps
    this.#left = maxSteps
  }

  /** @throws TooMuch when fewer steps are left. */
  spend(steps: number): void {
    this.#left -= steps
    if (this.#left < 0) throw new TooMuch('steps', `it takes more than ${this.#max} steps`)
  }

  get spent(): number {
    return this.#max - this.#left
  }
}

/** @throws TooMuch for a document with a value at that level. */
export function checkLevel(level: number): void {
  if (level > MAX_LEVELS) throw new TooMuch('levels', `it is nested more than ${MAX_LEVELS} levels deep`)
}
