import type { Random } from '../../../../src/sim/random.ts'

/** What inputs are made of, besides each other. */
export interface Material {
  /** Texts that the parser compares with: its literals, and operands seen while it ran. */
  words: readonly string[]
  numbers: readonly number[]
}

/** What a mutation chooses from. */
export interface Choice {
  below(count: number): number
  /** One of them; undefined only of none. */
  pick<T>(from: readonly T[]): T | undefined
  word(): string
  number(): number
}

/** Names that every object has, and texts that break programs elsewhere. */
const ODD_WORDS = [
  ...Object.getOwnPropertyNames(Object.prototype),
  ...['null', 'true', '%00', '%', '%25', '../', '//', ''],
]
const ODD_WORD_SHARE = 0.15
/** Share of numbers that are small counts or powers of two, and not of the parser's own. */
const PLAIN_NUMBER_SHARE = 0.4

export function choiceOf(random: Random, { words, numbers }: Material): Choice {
  const below = (count: number) => Math.floor(random() * count)
  const pick = <T>(from: readonly T[]): T | undefined => from[below(from.length)]
  return {
    below,
    pick,
    word: () => pick(random() < ODD_WORD_SHARE || words.length === 0 ? ODD_WORDS : words) ?? '',
    number: () =>
      (random() < PLAIN_NUMBER_SHARE || numbers.length === 0
        ? pick([below(2), below(8), below(8), below(16), 2 ** below(33), below(256)])
        : pick(numbers)) as number,
  }
}

/** A list with one member removed, doubled, moved, or another member put in. */
export function changedList<T>(list: readonly T[], other: T | undefined, { below }: Choice): T[] {
  const at = below(list.length)
  const member = list[at]
  const rest = list.toSpliced(at, 1)
  const kind = below(4)
  if (kind === 0 && other !== undefined) return list.toSpliced(below(list.length + 1), 0, other)
  if (member === undefined) return [...list]
  if (kind === 1) return rest
  if (kind === 2) return rest.toSpliced(below(rest.length + 1), 0, member)
  return list.toSpliced(below(list.length + 1), 0, ...Array<T>(1 + below(3)).fill(member))
}
