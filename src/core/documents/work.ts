/**
 * Steps that comparing two documents may take, and applying a patch: about a quarter of a second, some 10 ns each. A
 * count and not a time, so that the same documents give the same patch on every machine, however busy it is.
 */
export const MAX_STEPS = 25_000_000
/**
 * Levels that a document may be nested: whoever walks it calls itself once a level, and `JSON.parse` with a reviver runs
 * out of stack between 4,000 and 5,000.
 */
export const MAX_LEVELS = 2_000

/** A computation that would go beyond what it may take: how much of what. */
export class TooMuch extends Error {
  override readonly name = 'TooMuch'
  constructor(
    readonly what: 'steps' | 'bytes' | 'levels',
    message: string,
  ) {
    super(message)
  }
}

/** Counts the steps of a computation, and ends it when it has taken as many as it may. */
export class Work {
  readonly #max: number
  #left: number

  constructor(maxSteps = MAX_STEPS) {
    this.#max = maxSteps
    this.#left = maxSteps
  }

  /** @throws TooMuch when there are fewer steps left than these. */
  spend(steps: number): void {
    this.#left -= steps
    if (this.#left < 0) throw new TooMuch('steps', `it takes more than ${this.#max} steps`)
  }

  get spent(): number {
    return this.#max - this.#left
  }
}

/** @throws TooMuch for a document that has a value so many levels deep. */
export function checkLevel(level: number): void {
  if (level > MAX_LEVELS) throw new TooMuch('levels', `it is nested more than ${MAX_LEVELS} levels deep`)
}
