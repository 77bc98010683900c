import type { Json } from './document.ts'

/** Pairs of members whose likeness is looked at to find which belong together. */
const MAX_CELLS = 1_000
/** Levels of a member that are compared. */
const LEVELS = 2

/**
 * Which members of two lists are one that changed, in order on both sides: without an identity, those that have most
 * in common. Those that aren't told of are paired by position.
 */
export function pairAlike(from: readonly Json[], to: readonly Json[]): [from: number, to: number][] {
  if (from.length === 1 && to.length === 1) return []
  if (areAlike(from, to, 0)) return []
  const shift = to.length - from.length
  if (shift > 0 && areAlike(from, to, shift)) return from.map((_, at) => [at, at + shift])
  if (shift < 0 && areAlike(from, to, shift)) return to.map((_, at) => [at - shift, at])
  return from.length * to.length <= MAX_CELLS ? mostInCommon(from, to) : []
}

/** Whether most members that are so far apart are alike. */
function areAlike(from: readonly Json[], to: readonly Json[], shift: number): boolean {
  const length = Math.min(from.length, to.length)
  let [alike, different] = [0, 0]
  for (let at = 0; at < length && 2 * alike <= length && 2 * different < length; at++) {
    const common = commonChars(from[at - Math.min(shift, 0)] as Json, to[at + Math.max(shift, 0)] as Json)
    if (common > 0) alike++
    else different++
  }
  return 2 * alike > length
}

/** The pairs that have the most characters in common, all of them together. */
function mostInCommon(from: readonly Json[], to: readonly Json[]): [from: number, to: number][] {
  const width = to.length + 1
  const common = new Int32Array(from.length * to.length)
  /** The best of what is after both positions. */
  const best = new Int32Array((from.length + 1) * width)
  for (let a = from.length - 1; a >= 0; a--) {
    for (let b = to.length - 1; b >= 0; b--) {
      const chars = commonChars(from[a] as Json, to[b] as Json)
      common[a * to.length + b] = chars
      const paired = chars === 0 ? 0 : chars + (best[(a + 1) * width + b + 1] as number)
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

/** Characters of what two members have in common; 0 where that is less than half. */
function commonChars(from: Json, to: Json): number {
  const counted = { common: 0, all: 0 }
  count(from, to, LEVELS, counted)
  return 2 * counted.common > counted.all ? counted.common : 0
}

function count(from: Json, to: Json, levels: number, counted: { common: number; all: number }): void {
  if (typeof to !== 'object' || to === null) {
    const chars = typeof to === 'string' ? to.length + 2 : 4
    counted.all += chars
    if (from === to) counted.common += chars
    return
  }
  if (levels === 0 || typeof from !== 'object' || from === null) return
  for (const key in to) {
    count((from as { [key: string]: Json })[key] as Json, to[key as never], levels - 1, counted)
  }
}
