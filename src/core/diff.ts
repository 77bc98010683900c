import type { Json, PatchOperation } from './document.ts'
import { isRising, matchMembers } from './match-members.ts'
import { identity } from './member-names.ts'
import { longestRise } from './subsequences.ts'

/**
 * Longest that two documents are compared, in milliseconds: the process has other streams to follow. Looked at now
 * and then between objects and arrays, which bound themselves.
 */
export const DIFF_BUDGET_MS = 250
/** Pairs of objects or arrays between two looks at the clock, each of which takes as long as a small object. */
const PAIRS_A_LOOK = 32
/** Object keys that identify an array's members where the stream names none, in order of preference. */
export const IDENTITY_KEYS = ['id', '_id', 'key', 'uuid']
/** What an operation takes beside its path and value, and what a number takes, about. */
const OPERATION_CHARS = '{"op":"replace","path":"","value":},'.length
const SCALAR_CHARS = 5

/**
 * The RFC 6902 operations that turn `from` into `to`; their values are `to`'s own. Array members are matched by
 * `arrayKeys`, or else by the first of `id`, `_id`, `key`, `uuid` they have, or else by their content.
 * @throws Error when it takes longer than {@link DIFF_BUDGET_MS}.
 */
export function diff(
  from: Json,
  to: Json,
  arrayKeys: readonly string[] = [],
  clock: () => number = () => performance.now(),
): PatchOperation[] {
  const differ = new Differ(arrayKeys.length > 0 ? arrayKeys : IDENTITY_KEYS, clock)
  differ.compare(from, to, '')
  return differ.operations
}

class Differ {
  readonly operations: PatchOperation[] = []
  readonly #keys: readonly string[]
  readonly #clock: () => number
  readonly #deadline: number
  /** Objects and arrays that were compared so far. */
  #pairs = 0

  constructor(keys: readonly string[], clock: () => number) {
    this.#keys = keys
    this.#clock = clock
    this.#deadline = clock() + DIFF_BUDGET_MS
  }

  compare(from: Json, to: Json, path: string): void {
    if (from === to) return
    const isList = Array.isArray(from)
    if (!isHolder(from) || !isHolder(to) || isList !== Array.isArray(to)) {
      this.operations.push({ op: 'replace', path, value: to })
      return
    }
    if (++this.#pairs % PAIRS_A_LOOK === 0) this.#lookAtClock()
    if (isList) this.#compareArrays(from, to as Json[], path)
    else this.#compareObjects(from as Members, to as Members, path)
  }

  #lookAtClock(): void {
    if (this.#clock() > this.#deadline)
      throw new Error(`The comparison takes longer than ${DIFF_BUDGET_MS} ms`)
  }

  #compareObjects(from: Members, to: Members, path: string): void {
    let shared = 0
    for (const key in to) {
      const value = to[key] as Json
      const isUnchanged = from[key] === value
      const before = isUnchanged ? value : ownMember(from, key)
      if (before !== undefined) shared++
      if (isUnchanged) continue
      if (before !== undefined) this.compare(before, value, `${path}/${escaped(key)}`)
      else this.operations.push({ op: 'add', path: `${path}/${escaped(key)}`, value })
    }
    const keys = Object.keys(from)
    if (keys.length === shared) return
    for (const key of keys) {
      if (ownMember(to, key) !== undefined) continue
      this.operations.push({ op: 'remove', path: `${path}/${escaped(key)}` })
    }
  }

  /** Members go from the end on, then change places, then come in order, so that each index is what it seems. */
  #compareArrays(from: readonly Json[], to: readonly Json[], path: string): void {
    const sources = matchMembers(from, to, this.#keys)
    const kept = this.#removeMembers(from.length, sources, path)
    if (!isRising(sources)) {
      for (const move of movesOf(kept, sources)) {
        this.operations.push({ op: 'move', from: `${path}/${move.from}`, path: `${path}/${move.to}` })
      }
    }
    if (kept.length < to.length) {
      for (let at = 0; at < to.length; at++) {
        if (sources[at] === -1) this.operations.push({ op: 'add', path: `${path}/${at}`, value: to[at] })
      }
    }
    for (let at = 0; at < to.length; at++) {
      const source = sources[at] as number
      if (source === -1 || from[source] === to[at]) continue
      this.#compareMembers(from[source] as Json, to[at] as Json, `${path}/${at}`)
    }
  }

  /** @returns the indexes of those that stay, in order */
  #removeMembers(length: number, sources: readonly number[], path: string): number[] {
    const isKept = new Uint8Array(length)
    for (const source of sources) if (source >= 0) isKept[source] = 1
    const kept: number[] = []
    for (let at = 0; at < length; at++) if (isKept[at] === 1) kept.push(at)
    if (kept.length === length) return kept
    for (let at = length - 1; at >= 0; at--) {
      if (isKept[at] === 0) this.operations.push({ op: 'remove', path: `${path}/${at}` })
    }
    return kept
  }

  /** A member in the place of another one is sent whole where that is shorter than what tells them apart. */
  #compareMembers(from: Json, to: Json, path: string): void {
    const { operations } = this
    const start = operations.length
    this.compare(from, to, path)
    if (operations.length - start < 2) return
    const known = identity(from, this.#keys)
    if (known !== undefined && known === identity(to, this.#keys)) return
    let chars = -(path.length + OPERATION_CHARS)
    for (let at = start; at < operations.length; at++) {
      const operation = operations[at] as PatchOperation
      chars += operation.path.length + OPERATION_CHARS
      if ('value' in operation) chars += charsOf(operation.value)
    }
    if (chars <= 0 || chars <= charsOf(to)) return
    operations.length = start
    operations.push({ op: 'replace', path, value: to })
  }
}

type Members = { [key: string]: Json }

/** All that an object of JSON inherits is functions and its prototype: this is faster than to ask what is its own. */
function ownMember(holder: Members, key: string): Json | undefined {
  const value: unknown = holder[key]
  return typeof value === 'function' || value === Object.prototype ? undefined : (value as Json)
}

function isHolder(value: Json): value is Json[] | Members {
  return typeof value === 'object' && value !== null
}

/** @see https://www.rfc-editor.org/rfc/rfc6901#section-3 */
function escaped(key: string): string {
  return key.includes('~') || key.includes('/') ? key.replaceAll('~', '~0').replaceAll('/', '~1') : key
}

/** The moves, one after the other, that bring those members that are kept into their new order. */
function movesOf(kept: number[], sources: readonly number[]): { from: number; to: number }[] {
  const moves: { from: number; to: number }[] = []
  const order = sources.filter((source) => source >= 0)
  const stays = new Set(longestRise(order))
  for (const [at, source] of order.entries()) {
    if (stays.has(at)) continue
    const from = kept.indexOf(source)
    kept.splice(from, 1)
    const to = at === 0 ? 0 : kept.indexOf(order[at - 1] as number) + 1
    kept.splice(to, 0, source)
    if (from !== to) moves.push({ from, to })
  }
  return moves
}

/** About the characters of a value's JSON. */
function charsOf(value: Json): number {
  if (typeof value === 'string') return value.length + 2
  if (typeof value !== 'object' || value === null) return SCALAR_CHARS
  let chars = 2
  if (Array.isArray(value)) for (const member of value) chars += charsOf(member) + 1
  else for (const key in value) chars += key.length + 4 + charsOf(value[key] as Json)
  return chars
}
