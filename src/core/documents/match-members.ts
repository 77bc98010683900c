import type { Json } from './document.ts'
import { identity, isEqual, nameOf } from './member-names.ts'
import { pairAlike } from './pair-alike.ts'
import { align, longestRise } from './subsequences.ts'
import type { Work } from './work.ts'

/**
 * Limit on array members × moved members, since each move searches for its member: beyond it, moved members are treated as
 * removed and added.
 */
const MAX_MOVE_STEPS = 40_000_000
/** Steps for naming a member, looking up its name, and finding where it stays. */
const MEMBER_STEPS = 16
/** The source of a member of `to` that is new. */
const NEW = -1

type List = readonly Json[]

/**
 * Matches an array's members: for each member of `to`, the index of its source in `from`, or −1 for a new one. Members match by
 * identity, else by content; the rest, between matches, by likeness and position.
 */
export function matchMembers(from: List, to: List, keys: readonly string[], work: Work): number[] {
  const sources: number[] = new Array(to.length).fill(NEW)
  const least = Math.min(from.length, to.length)
  let head = 0
  while (head < least && isSame(from[head] as Json, to[head] as Json, keys, work)) sources[head] = head++
  let [fromEnd, toEnd] = [from.length, to.length]
  while (
    Math.min(fromEnd, toEnd) > head &&
    isSame(from[fromEnd - 1] as Json, to[toEnd - 1] as Json, keys, work)
  ) {
    sources[--toEnd] = --fromEnd
  }
  if (fromEnd === head || toEnd === head) return sources
  const middle = matchMiddle(from.slice(head, fromEnd), to.slice(head, toEnd), keys, work)
  for (let at = 0; at < middle.length; at++) {
    const source = middle[at] as number
    if (source !== NEW) sources[head + at] = head + source
  }
  return sources
}

/** Whether the numbers are increasing, ignoring those of new members. */
export function isRising(sources: readonly number[]): boolean {
  let last = NEW
  for (const source of sources) {
    if (source === NEW) continue
    if (source < last) return false
    last = source
  }
  return true
}

/** Whether two members match: by identity or, without one, by equal content. */
function isSame(one: Json, other: Json, keys: readonly string[], work: Work): boolean {
  if (one === other) return true
  if (typeof one !== 'object' || typeof other !== 'object') return false
  const known = identity(one, keys)
  return known === undefined
    ? identity(other, keys) === undefined && isEqual(one, other, work)
    : known === identity(other, keys)
}

function matchMiddle(from: List, to: List, keys: readonly string[], work: Work): number[] {
  if (from.length === 1 && to.length === 1) return [0]
  work.spend((from.length + to.length) * MEMBER_STEPS)
  const fromNames = from.map((member) => nameOf(member, keys, work))
  const toNames = to.map((member) => nameOf(member, keys, work))
  const sources = placesOf(fromNames, toNames) ?? alignedPlaces(fromNames, toNames, work)
  const stays = staysOf(sources, work)
  // Sending a number or word again is no longer than moving it, so it only moves if nothing else takes its place.
  const isManyMoves = (to.length - stays.length) * from.length > MAX_MOVE_STEPS
  if (stays.length < to.length) {
    const isStay = new Uint8Array(to.length)
    for (const at of stays) isStay[at] = 1
    for (let at = 0; at < to.length; at++) {
      if (isStay[at] === 0 && (isManyMoves || typeof to[at] !== 'object')) sources[at] = NEW
    }
    if (!isManyMoves) moveTwins(fromNames, toNames, sources, (at) => typeof to[at] === 'object')
    fillGaps(from, to, sources, stays, work)
    if (!isManyMoves) moveTwins(fromNames, toNames, sources, () => true)
  }
  return sources
}

/** The index of each member's name in `from`; `undefined` if a name on both sides occurs several times. */
function placesOf(from: List, to: List): number[] | undefined {
  const places = new Map<Json, number>()
  for (let at = 0; at < from.length; at++) {
    const name = from[at] as Json
    places.set(name, places.has(name) ? SEVERAL : at)
  }
  const isFound = new Uint8Array(from.length)
  const found: number[] = []
  for (let at = 0; at < to.length; at++) {
    const place = places.get(to[at] as Json) ?? NEW
    if (place === SEVERAL || isFound[place] === 1) return undefined
    if (place !== NEW) isFound[place] = 1
    found.push(place)
  }
  return found
}

const SEVERAL = -2

/** The same by a longest common subsequence; if that takes too long, of the names that occur once. */
function alignedPlaces(from: List, to: List, work: Work): number[] {
  work.spend((from.length + to.length) * MEMBER_STEPS)
  const numbers = new Map<Json, number>()
  const numbered = (names: List) =>
    names.map((name) => numbers.get(name) ?? numbers.set(name, numbers.size).size - 1)
  const [fromNumbers, toNumbers] = [numbered(from), numbered(to)]
  const [fromCounts, toCounts] = [countsOf(fromNumbers, numbers.size), countsOf(toNumbers, numbers.size)]
  const isCommon = (number: number) => fromCounts[number] !== 0 && toCounts[number] !== 0
  const common = [indexesWhere(fromNumbers, isCommon), indexesWhere(toNumbers, isCommon)] as const
  const sources: number[] = new Array(to.length).fill(NEW)
  const aligned = align(
    Int32Array.from(common[0], (at) => fromNumbers[at] as number),
    Int32Array.from(common[1], (at) => toNumbers[at] as number),
    work,
  )
  if (aligned !== undefined) {
    for (const [a, b] of aligned) sources[common[1][b] as number] = common[0][a] as number
    return sources
  }
  const isClear = (number: number) => fromCounts[number] === 1 && toCounts[number] === 1
  const places = new Map(indexesWhere(fromNumbers, isClear).map((at) => [fromNumbers[at], at]))
  for (const at of indexesWhere(toNumbers, isClear)) sources[at] = places.get(toNumbers[at]) as number
  return sources
}

function countsOf(numbers: readonly number[], size: number): Int32Array {
  const counts = new Int32Array(size)
  for (const number of numbers) counts[number] = (counts[number] as number) + 1
  return counts
}

function indexesWhere(numbers: readonly number[], holds: (number: number) => boolean): number[] {
  const found: number[] = []
  for (let at = 0; at < numbers.length; at++) if (holds(numbers[at] as number)) found.push(at)
  return found
}

/** Indexes of the members that keep their order; all others with a source are moved. */
function staysOf(sources: readonly number[], work: Work): number[] {
  const known = indexesWhere(sources, (source) => source !== NEW)
  if (isRising(sources)) return known
  return longestRise(
    known.map((at) => sources[at] as number),
    work,
  ).map((at) => known[at] as number)
}

/** Pairs the remaining members of one name on both sides. */
function moveTwins(from: List, to: List, sources: number[], mayMove: (at: number) => boolean): void {
  const places = new Map<Json, number[]>()
  for (const at of indexesWhere(sources, (source) => source === NEW))
    if (mayMove(at)) places.set(to[at] as Json, [])
  if (places.size === 0) return
  const isTaken = takenOf(from.length, sources)
  for (let at = from.length - 1; at >= 0; at--) if (isTaken[at] === 0) places.get(from[at] as Json)?.push(at)
  for (const at of indexesWhere(sources, (source) => source === NEW)) {
    if (mayMove(at)) sources[at] = places.get(to[at] as Json)?.pop() ?? NEW
  }
}

/** Pairs the remaining members between two that stay. */
function fillGaps(from: List, to: List, sources: number[], stays: readonly number[], work: Work): void {
  const isTaken = takenOf(from.length, sources)
  let [fromStart, toStart] = [0, 0]
  for (let stay = 0; stay <= stays.length; stay++) {
    const toEnd = stays[stay] ?? to.length
    const fromEnd = stay < stays.length ? (sources[toEnd] as number) : from.length
    if (fromStart + 1 === fromEnd && toStart + 1 === toEnd) {
      if (isTaken[fromStart] === 0 && sources[toStart] === NEW) sources[toStart] = fromStart
    } else if (fromStart < fromEnd && toStart < toEnd) {
      const before = indexesBetween(fromStart, fromEnd, (at) => isTaken[at] === 0)
      const after = indexesBetween(toStart, toEnd, (at) => sources[at] === NEW)
      for (const [a, b] of gapPairs(before, after, from, to, work)) sources[b] = a
    }
    ;[fromStart, toStart] = [fromEnd + 1, toEnd + 1]
  }
}

/** Pairs within a gap: similar members, and between those, members at the same position. */
function gapPairs(
  before: readonly number[],
  after: readonly number[],
  from: List,
  to: List,
  work: Work,
): [number, number][] {
  const pairs: [number, number][] = []
  const alike = pairAlike(
    before.map((at) => from[at] as Json),
    after.map((at) => to[at] as Json),
    work,
  )
  let [a, b] = [0, 0]
  for (const [nextA, nextB] of [...alike, [before.length, after.length] as const]) {
    while (a < nextA && b < nextB) pairs.push([before[a++] as number, after[b++] as number])
    if (nextA < before.length) pairs.push([before[nextA] as number, after[nextB] as number])
    ;[a, b] = [nextA + 1, nextB + 1]
  }
  return pairs
}

function takenOf(length: number, sources: readonly number[]): Uint8Array {
  const isTaken = new Uint8Array(length)
  for (const source of sources) if (source !== NEW) isTaken[source] = 1
  return isTaken
}

function indexesBetween(start: number, end: number, holds: (at: number) => boolean): number[] {
  const found: number[] = []
  for (let at = start; at < end; at++) if (holds(at)) found.push(at)
  return found
}
