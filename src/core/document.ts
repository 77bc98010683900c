import { applyPatch, type Operation, validator } from 'fast-json-patch'
import { create as createDiffer, type Delta, type DiffContext, type DiffPatcher } from 'jsondiffpatch'
import { format as toJsonPatch } from 'jsondiffpatch/formatters/jsonpatch'
import { stringifyJson } from './json.ts'
import { parsePointer, select } from './pointer.ts'

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }
export type PatchOperation = Operation

/**
 * Longest that two documents are compared, in milliseconds: the process has other streams to follow. Looked at between
 * objects and arrays, which bound themselves.
 */
export const DIFF_BUDGET_MS = 250
/** Object keys that identify an array's members where the stream names none, in order of preference. */
const IDENTITY_KEYS = ['id', '_id', 'key', 'uuid']
/**
 * jsondiffpatch compares two arrays in a table of one length times the other: 60,000 members would take 30 GB. Past
 * this many cells they are compared in linear space here, which knows no moves.
 */
const MAX_TABLE_CELLS = 1_000_000
/** Members added and removed that a comparison of two long arrays looks for; past them it goes by position. */
const MAX_EDITS = 1_000
/** Members that such a comparison steps over before it gives up likewise: about 50 ms. */
const MAX_STEPS = 10_000_000

/**
 * Serialises a document so that equal documents give equal text: object members sorted by key, no white space.
 * Follows RFC 8785 (JCS) for what `JSON.parse` can return; numbers that a double can't hold stay as they came.
 */
export function canonicalJson(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (typeof value !== 'object' || value === null) return stringifyJson(value)
  const members = Object.keys(value)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonicalJson(value[key] as Json)}`)
  return `{${members.join(',')}}`
}

/** SHA-256 of bytes or UTF-8 text, in hex. */
export function sha256(content: string | Uint8Array): string {
  return new Bun.CryptoHasher('sha256').update(content).digest('hex')
}

/** SHA-256 of the document's canonical form, in hex: the hash that every patch entry carries. */
export function hashDocument(document: Json): string {
  return sha256(canonicalJson(document))
}

/**
 * The RFC 6902 operations that turn `from` into `to`. Array members are matched by `arrayKeys`, or else by the
 * first of `id`, `_id`, `key`, `uuid` they have, or else by position. Where members are called like what objects
 * inherit (`constructor`), a change may be overlooked or throw: compare hashes before you trust a patch.
 * @throws Error when it takes longer than {@link DIFF_BUDGET_MS}.
 */
export function diff(
  from: Json,
  to: Json,
  arrayKeys: readonly string[] = [],
  clock: () => number = () => performance.now(),
): PatchOperation[] {
  const keys = arrayKeys.length > 0 ? arrayKeys : IDENTITY_KEYS
  const differ = createDiffer({
    objectHash: (member, index) => identity(member, keys) ?? `$position:${index}`,
    arrays: { detectMove: true },
  })
  differ.processor.pipes.diff.before('objects', budgetFilter(clock))
  differ.processor.pipes.diff.before('arrays', longArraysFilter(differ, keys))
  const delta = differ.diff(from, to)
  return delta === undefined ? [] : (toJsonPatch(delta) as PatchOperation[])
}

/**
 * Applies RFC 6902 operations to a copy of the document.
 * @throws Error when an operation is malformed, its target is missing or a `test` fails; the document is unchanged.
 */
export function patch(document: Json, operations: readonly PatchOperation[]): Json {
  // The patcher puts the operations' own values into the document, where later operations would change them.
  return applyPatch(document, structuredClone(operations), checkOperation, false).newDocument as Json
}

/** Whether a value has the shape of an RFC 6902 patch: an array of operations, each with a known `op` and a `path`. */
export function isPatch(value: unknown): value is PatchOperation[] {
  return Array.isArray(value) && value.every(isOperation)
}

function isOperation(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const { op, path } = value as Record<string, unknown>
  if (typeof path !== 'string' || typeof op !== 'string') return false
  return /^(add|remove|replace|move|copy|test)$/.test(op)
}

/**
 * Whether an operation fits the document, as RFC 6902 has it. Stricter than the patcher's own check, which takes
 * inherited members for the document's and `01` for an index, and cheaper: that one copies the document for every move.
 */
function checkOperation(operation: Operation, index: number, document: unknown): void {
  validator(operation, index)
  const refuse = (why: string) => new Error(`${operation.op} ${operation.path}: ${why}`)
  const path = parsePointer(operation.path)
  if (path === undefined) throw refuse('not a JSON Pointer')
  if (operation.op === 'remove' || operation.op === 'replace' || operation.op === 'test') {
    if (select(document, path) === undefined) throw refuse('nothing is there')
    return
  }
  let taken: unknown
  if (operation.op === 'move' || operation.op === 'copy') {
    const from = parsePointer(operation.from)
    if (from === undefined || select(document, from) === undefined) throw refuse('nothing to take')
    if (operation.op === 'copy') taken = undefined
    else if (operation.path.startsWith(`${operation.from}/`)) throw refuse('a move into itself')
    else taken = select(document, from.slice(0, -1))
  }
  const last = path.at(-1)
  if (last === undefined) return
  const holder = select(document, path.slice(0, -1))
  if (typeof holder !== 'object' || holder === null) throw refuse('nothing to put it into')
  if (!Array.isArray(holder) || last === '-') return
  const most = holder === taken ? holder.length - 1 : holder.length
  if (!/^(0|[1-9]\d*)$/.test(last) || Number(last) > most) throw refuse('no such index')
}

function identity(member: unknown, keys: readonly string[]): string | undefined {
  if (typeof member !== 'object' || member === null) return undefined
  for (const key of keys) {
    const value = (member as Record<string, unknown>)[key]
    if (typeof value === 'string' || typeof value === 'number') return `${key}:${value}`
  }
  return undefined
}

function budgetFilter(clock: () => number) {
  const deadline = clock() + DIFF_BUDGET_MS
  const filter = (): void => {
    if (clock() > deadline) throw new Error(`The comparison takes longer than ${DIFF_BUDGET_MS} ms`)
  }
  filter.filterName = 'budget'
  return filter
}

/** Takes the pairs of arrays from jsondiffpatch that are too long for its table. */
function longArraysFilter(differ: DiffPatcher, keys: readonly string[]) {
  const filter = (context: DiffContext): void => {
    const { left, right } = context
    if (!Array.isArray(left) || !Array.isArray(right)) return
    if (left.length * right.length <= MAX_TABLE_CELLS) return
    context.setResult(diffLongArrays(differ, left, right, keys)).exit()
  }
  filter.filterName = 'longArrays'
  return filter
}

function diffLongArrays(differ: DiffPatcher, left: Json[], right: Json[], keys: readonly string[]): Delta {
  const delta: Record<string, unknown> = {}
  const compare = (from: number, to: number) => {
    const nested = differ.diff(left[from], right[to])
    if (nested !== undefined) delta[to] = nested
  }
  const names = namer(keys)
  const pairs = [...align(names(left), names(right)), [left.length, right.length] as const]
  let from = 0
  let to = 0
  for (const [nextFrom, nextTo] of pairs) {
    while (
      from < nextFrom &&
      to < nextTo &&
      !isIdentified(left[from], keys) &&
      !isIdentified(right[to], keys)
    ) {
      compare(from++, to++)
    }
    for (; from < nextFrom; from++) delta[`_${from}`] = [left[from], 0, 0]
    for (; to < nextTo; to++) delta[to] = [right[to]]
    if (from < left.length && to < right.length) compare(from++, to++)
  }
  return (Object.keys(delta).length === 0 ? undefined : { ...delta, _t: 'a' }) as Delta
}

function isIdentified(member: Json | undefined, keys: readonly string[]): boolean {
  return identity(member, keys) !== undefined
}

/** Numbers the members of arrays: the same for two of the same identity or, without one, of the same content. */
function namer(keys: readonly string[]): (array: readonly Json[]) => Int32Array {
  const numbers = new Map<string, number>()
  return (array) =>
    Int32Array.from(array, (member) => {
      const known = identity(member, keys)
      const name = known === undefined ? canonicalJson(member) : `=${known}`
      const number = numbers.get(name) ?? numbers.size
      numbers.set(name, number)
      return number
    })
}

/**
 * The positions of a longest common subsequence, in order; none where a bound is reached.
 * @see http://www.xmailserver.org/diff2.pdf Myers, An O(ND) Difference Algorithm
 */
function align(from: Int32Array, to: Int32Array): [from: number, to: number][] {
  /** How far `from` is read on each diagonal (position in `from` less that in `to`); the middle one is 0. */
  const reach = new Int32Array(2 * MAX_EDITS + 3)
  const middle = MAX_EDITS + 1
  const trace: Int32Array[] = []
  let steps = 0
  for (let edits = 0; edits <= MAX_EDITS && steps <= MAX_STEPS; edits++) {
    trace.push(reach.slice(middle - edits - 1, middle + edits + 2))
    for (let diagonal = -edits; diagonal <= edits; diagonal += 2) {
      const start = enter(reach, middle, diagonal, edits).at
      let at = start
      while (at < from.length && at - diagonal < to.length && from[at] === to[at - diagonal]) at++
      steps += at - start
      reach[middle + diagonal] = at
      if (at >= from.length && at - diagonal >= to.length) return walkBack(trace, from.length, to.length)
    }
  }
  return []
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
