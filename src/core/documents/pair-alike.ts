import type { Json } from './document.ts'
import type { Work } from './work.ts'

/** Maximum number of pairs of members that are compared for likeness. */
const MAX_CELLS = 1_000
/** Approximate characters of a number. */
const NUMBER_CHARS = 4
/** Characters of two texts compared in the time of one step. */
const CHARS_A_STEP = 64
/** Levels of a member that are compared. */
const LEVELS = 2

/**
 * Which members of two lists are changed versions of each other, in order on both sides: without an identity, those with most in
 * common. The others are paired by position.
 */
export function pairAlike(
  from: readonly Json[],
  to: readonly Json[],
  work: Work,
): [from: number, to: number][] {
  if (from.length === 1 && to.length === 1) return []
  if (areAlike(from, to, 0, work)) return []
  const shift = to.length - from.length
  if (shift > 0 && areAlike(from, to, shift, work)) return from.map((_, at) => [at, at + shift])
  if (shift < 0 && areAlike(from, to, shift, work)) return to.map((_, at) => [at - shift, at])
  return from.length * to.length <= MAX_CELLS ? mostInCommon(from, to, work) : []
}

/** Whether most members at this distance are alike. */
function areAlike(from: readonly Json[], to: readonly Json[], shift: number, work: Work): boolean {
  const length = Math.min(from.length, to.length)
  let [alike, different] = [0, 0]
  for (let at = 0; at < length && 2 * alike <= length && 2 * different < length; at++) {
    if (likeness(from[at - Math.min(shift, 0)], to[at + Math.max(shift, 0)] as Json, work) > 0) alike++
    else different++
  }
  return 2 * alike > length
}

/** The pairs with the greatest total likeness. */
function mostInCommon(from: readonly Json[], to: readonly Json[], work: Work): [from: number, to: number][] {
  const width = to.length + 1
  /** The best total after both positions. */
  const best = new Int32Array((from.length + 1) * width)
  for (let a = from.length - 1; a >= 0; a--) {
    for (let b = to.length - 1; b >= 0; b--) {
      const paired = likeness(from[a], to[b] as Json, work) + (best[(a + 1) * width + b + 1] as number)
      best[a * width + b] = Math.max(
        paired,
        best[(a + 1) * width + b] as number,
        best[a * width + b + 1] as number,
      )
    }
  }
  const pairs: [number, number][] = []
  let [a, b] = [0, 0]
  while (a < from.length && b < to.length) {
    const now = best[a * width + b] as number
    if (now === best[(a + 1) * width + b]) a++
    else if (now === best[a * width + b + 1]) b++
    else pairs.push([a++, b++])
  }
  return pairs
}

/** Characters that two members have in common, minus those that differ: above 0, they are alike. */
function likeness(from: Json | undefined, to: Json, work: Work, levels = LEVELS): number {
  work.spend(1)
  if (typeof to !== 'object' || to === null) {
    const chars = typeof to === 'string' ? to.length + 2 : NUMBER_CHARS
    work.spend(chars / CHARS_A_STEP)
    return from === to ? chars : -chars
  }
  if (levels === 0 || typeof from !== 'object' || from === null) return 0
  let all = 0
  for (const key of Object.keys(to)) all += likeness(from[key as never], to[key as never], work, levels - 1)
  return all
}
