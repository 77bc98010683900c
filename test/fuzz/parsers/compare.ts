/** Distinct operands that are learned from one exploration. */
const MAX_LEARNED = 1_000
/** Longer operands aren't learned, nor compared beyond this, in UTF-16 units. */
const MAX_LEARNED_CHARS = 64
/** Classes of nearness of one comparison: of numbers by powers of two, of texts by common characters. */
export const NEARNESSES = 34

/** What the comparisons of instrumented code tell. */
export interface Comparisons {
  /** How near the operands of each comparison have come since the last clearing, by `site * NEARNESSES + nearness`. */
  readonly near: Set<number>
  /** Texts that something was compared with. */
  readonly words: Set<string>
}

/**
 * Watches comparisons, as value profiles do: an input that comes nearer to what it is compared with is worth changing
 * further, though it takes the same branch.
 * @returns also the function that instrumented code calls with a comparison's site and operands; it answers with the
 * comparison's result
 * @see https://llvm.org/docs/LibFuzzer.html#value-profile
 */
export function watchComparisons(): Comparisons & {
  compare(site: number, a: unknown, operator: string, b: unknown): boolean
} {
  const near = new Set<number>()
  const words = new Set<string>()
  const learn = (text: string) => {
    if (text !== '' && text.length <= MAX_LEARNED_CHARS && words.size < MAX_LEARNED) words.add(text)
  }
  return {
    near,
    words,
    compare(site, a, operator, b) {
      if (typeof a === 'number' && typeof b === 'number') {
        near.add(site * NEARNESSES + Math.clz32(Math.min(Math.abs(a - b), 2 ** 32 - 1)))
      } else if (typeof a === 'string' && typeof b === 'string' && a !== b) {
        near.add(site * NEARNESSES + commonChars(a, b))
        learn(a)
        learn(b)
      }
      return RESULT[operator]?.(a as never, b as never) ?? false
    },
  }
}

/** By operator, as the source has it. */
export const RESULT: Record<string, (a: never, b: never) => boolean> = {
  '===': (a, b) => a === b,
  '!==': (a, b) => a !== b,
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
}

function commonChars(a: string, b: string): number {
  let chars = 0
  while (chars < NEARNESSES - 1 && chars < a.length && a[chars] === b[chars]) chars++
  return chars
}
