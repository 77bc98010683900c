import type { Work } from './work.ts'

/** Maximum number of added and removed members that a comparison of two sequences looks for. */
const MAX_EDITS = 1_000
/** Maximum number of members that such a comparison steps over before it gives up as well. */
const MAX_ALIGN_STEPS = 10_000_000
/** Members stepped over in the time of one step. */
const MEMBERS_A_STEP = 4
/** Steps per number when looking for a longest increasing run. */
const RISE_STEPS = 16

/** The positions, in order, of a longest increasing subsequence. */
export function longestRise(numbers: readonly number[], work: Work): number[] {
  work.spend(numbers.length * RISE_STEPS)
  /** Position of the smallest number that ends a run of each length (index: length − 1). */
  const ends: number[] = []
  const before = new Int32Array(numbers.length)
  for (let at = 0; at < numbers.length; at++) {
    const number = numbers[at] as number
    let low = 0
    let high = ends.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((numbers[ends[middle] as number] as number) < number) low = middle + 1
      else high = middle
    }
    before[at] = ends[low - 1] ?? -1
    ends[low] = at
  }
  const rise: number[] = []
  for (let at = ends.at(-1) ?? -1; at >= 0; at = before[at] as number) rise.push(at)
  return rise.reverse()
}

/**
 * The positions of a longest common subsequence, in order; `undefined` if a bound is reached.
 * @see http://www.xmailserver.org/diff2.pdf Myers, An O(ND) Difference Algorithm
 */
export function align(
  from: Int32Array,
  to: Int32Array,
  work: Work,
): [from: number, to: number][] | undefined {
  /** How far `from` is read on each diagonal (position in `from` minus position in `to`); the middle one is 0. */
  const reach = new Int32Array(2 * MAX_EDITS + 3)
  const middle = MAX_EDITS + 1
  const trace: Int32Array[] = []
  let steps = 0
  for (let edits = 0; edits <= MAX_EDITS && steps <= MAX_ALIGN_STEPS; edits++) {
    trace.push(reach.slice(middle - edits - 1, middle + edits + 2))
    for (let diagonal = -edits; diagonal <= edits; diagonal += 2) {
      const start = enter(reach, middle, diagonal, edits).at
      let at = start
      while (at < from.length && at - diagonal < to.length && from[at] === to[at - diagonal]) at++
      steps += at - start
      work.spend(1 + (at - start) / MEMBERS_A_STEP)
      reach[middle + diagonal] = at
      if (at >= from.length && at - diagonal >= to.length) return walkBack(trace, from.length, to.length)
    }
  }
  return undefined
}

/** Where a diagonal is entered: from the one above by an addition, or from the one below by a removal. */
function enter(reach: Int32Array, middle: number, diagonal: number, edits: number) {
  const above = reach[middle + diagonal + 1] as number
  const below = reach[middle + diagonal - 1] as number
  const adds = diagonal === -edits || (diagonal !== edits && below < above)
  return adds ? { at: above, before: above, step: 1 } : { at: below + 1, before: below, step: -1 }
}

function walkBack(trace: readonly Int32Array[], fromLength: number, toLength: number): [number, number][] {
  const pairs: [number, number][] = []
  let at = fromLength
  let diagonal = fromLength - toLength
  for (let edits = trace.length - 1; edits >= 0; edits--) {
    const entered = enter(trace[edits] as Int32Array, edits + 1, diagonal, edits)
    while (at > entered.at) pairs.push([--at, at - diagonal])
    at = entered.before
    diagonal += entered.step
  }
  return pairs.reverse()
}
