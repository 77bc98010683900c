import type { Json, PatchOperation } from './document.ts'
import { isRising, matchMembers } from './match-members.ts'
import { identity } from './member-names.ts'
import { longestRise } from './subsequences.ts'
import { Work } from './work.ts'

/** Steps that an operation takes: to make it, and later to write it down and to try it. */
const OPERATION_STEPS = 32
/** Array items that are stepped over in the time of one step, where one of them is looked for or makes room. */
const ITEMS_A_STEP = 4
/** Object keys that identify an array's members where the stream names none, in order of preference. */
export const IDENTITY_KEYS = ['id', '_id', 'key', 'uuid']
/** What an operation takes beside its path and value, and what a number takes, about. */
const OPERATION_CHARS = '{"op":"replace","path":"","value":},'.length
const SCALAR_CHARS = 5

/**
 * The RFC 6902 operations that turn `from` into `to`; their values are `to`'s own. Array members are matched by
 * `arrayKeys`, or else by the first of `id`, `_id`, `key`, `uuid` they have, or else by their content.
 * @throws TooMuch when it takes more steps than there are left of `work`.
 */
export function diff(
  from: Json,
  to: Json,
  arrayKeys: readonly string[] = [],
  work = new Work(),
): PatchOperation[] {
  const differ = new Differ(arrayKeys.length > 0 ? arrayKeys : IDENTITY_KEYS, work)
  differ.compare(from, to, '')
  return differ.operations
}

class Differ {
  readonly operations: PatchOperation[] = []
  readonly #keys: readonly string[]
  readonly #work: Work

  constructor(keys: readonly string[], work: Work) {
    this.#keys = keys
    this.#work = work
  }

  compare(from: Json, to: Json, path: string): void {
    if (from === to) return
    const isList = Array.isArray(from)
    if (!isHolder(from) || !isHolder(to) || isList !== Array.isArray(to)) {
      this.#push({ op: 'replace', path, value: to })
      return
    }
    if (isList) this.#compareArrays(from, to as Json[], path)
    else this.#compareObjects(from as Members, to as Members, path)
  }

  #push(operation: PatchOperation): void {
    this.#work.spend(OPERATION_STEPS)
    this.operations.push(operation)
  }

  #compareObjects(from: Members, to: Members, path: string): void {
    let shared = 0
    let members = 0
    for (const key in to) {
      members++
      const value = to[key] as Json
      const isUnchanged = from[key] === value
      const before = isUnchanged ? value : ownMember(from, key)
      if (before !== undefined) shared++
      if (isUnchanged) continue
      if (before !== undefined) this.compare(before, value, `${path}/${escaped(key)}`)
      else this.#push({ op: 'add', path: `${path}/${escaped(key)}`, value })
    }
    const keys = Object.keys(from)
    this.#work.spend(1 + members + keys.length)
    if (keys.length === shared) return
    for (const key of keys) {
      if (ownMember(to, key) !== undefined) continue
      this.#push({ op: 'remove', path: `${path}/${escaped(key)}` })
    }
  }

  /** Members go from the end on, then change places, then come in order, so that each index is what it seems. */
  #compareArrays(from: readonly Json[], to: readonly Json[], path: string): void {
    this.#work.spend(1 + from.length + to.length)
    const sources = matchMembers(from, to, this.#keys, this.#work)
    const kept = this.#removeMembers(from.length, sources, path)
    if (!isRising(sources)) {
      for (const move of movesOf(kept, sources, this.#work)) {
        this.#push({ op: 'move', from: `${path}/${move.from}`, path: `${path}/${move.to}` })
      }
    }
    if (kept.length < to.length) {
      for (let at = 0; at < to.length; at++) {
        if (sources[at] === -1) this.#push({ op: 'add', path: `${path}/${at}`, value: to[at] })
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
      if (isKept[at] === 0) this.#push({ op: 'remove', path: `${path}/${at}` })
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
    this.#work.spend(operations.length - start)
    let chars = -(path.length + OPERATION_CHARS)
    for (let at = start; at < operations.length; at++) {
      const operation = operations[at] as PatchOperation
      chars += operation.path.length + OPERATION_CHARS
      if ('value' in operation) chars += charsOf(operation.value, this.#work)
    }
    if (chars <= 0 || chars <= charsOf(to, this.#work)) return
    operations.length = start
    this.#push({ op: 'replace', path, value: to })
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
function movesOf(kept: number[], sources: readonly number[], work: Work): { from: number; to: number }[] {
  const moves: { from: number; to: number }[] = []
  const order = sources.filter((source) => source >= 0)
  const stays = new Set(longestRise(order, work))
  for (const [at, source] of order.entries()) {
    if (stays.has(at)) continue
    work.spend(kept.length / ITEMS_A_STEP)
    const from = kept.indexOf(source)
    kept.splice(from, 1)
    const to = at === 0 ? 0 : kept.indexOf(order[at - 1] as number) + 1
    kept.splice(to, 0, source)
    if (from !== to) moves.push({ from, to })
  }
  return moves
}

/** About the characters of a value's JSON. */
function charsOf(value: Json, work: Work): number {
  if (typeof value === 'string') return value.length + 2
  if (typeof value !== 'object' || value === null) return SCALAR_CHARS
  work.spend(1)
  let chars = 2
  if (Array.isArray(value)) for (const member of value) chars += charsOf(member, work) + 1
  else for (const key in value) chars += key.length + 4 + charsOf(value[key] as Json, work)
  return chars
}
