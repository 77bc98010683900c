/** Uniform in [0, 1), the same for the same seed. */
export type Random = () => number

/** Random numbers of a test file's own. Prints their seed; `WEIR_SEED` repeats a run. */
export function seeded(file: string): Random {
  const seed = Number(process.env.WEIR_SEED ?? Math.floor(Math.random() * 2 ** 32))
  console.log(`${file}: WEIR_SEED=${seed}`)
  return mulberry32(seed)
}

/** A whole number from 0 to `below` − 1. */
export function integer(random: Random, below: number): number {
  return Math.floor(random() * below)
}

export function pick<T>(random: Random, choices: readonly T[]): T {
  return choices[integer(random, choices.length)] as T
}

/** Between 0 and `most` of whatever `make` makes. */
export function several<T>(random: Random, most: number, make: () => T): T[] {
  return Array.from({ length: integer(random, most + 1) }, make)
}

/** @see https://github.com/cprosche/mulberry32 */
export function mulberry32(seed: number): Random {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
