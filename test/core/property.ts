import fc from 'fast-check'
import { seeded } from './seeded.ts'

/** Random inputs of one check of a property. */
const RUNS = 1_000

/**
 * Checks properties with random inputs, and reports the smallest input that it finds to break one. Prints the seed;
 * `WEIR_SEED` repeats a run.
 */
export class Properties {
  readonly #seed: number

  constructor(file: string) {
    this.#seed = Math.floor(seeded(file)() * 2 ** 31)
  }

  /**
   * @param holds throws, or expects in vain, for an input that breaks the property
   */
  check<Input>(inputs: fc.Arbitrary<Input>, holds: (input: Input) => void, numRuns = RUNS): void {
    fc.assert(fc.property(inputs, holds), { seed: this.#seed, numRuns })
  }
}
