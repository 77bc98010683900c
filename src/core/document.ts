import { applyOperation, type Operation, validator } from 'fast-json-patch'
import { stringifyJson } from './json.ts'
import { parsePointer, select } from './pointer.ts'

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }
export type PatchOperation = Operation

/**
 * Serialises a document so that equal documents give equal text: object members sorted by key, no white space.
 * Follows RFC 8785 (JCS) for what `JSON.parse` can return; numbers that a double can't hold stay as they came.
 */
export function canonicalJson(value: Json): string {
  return canonicalText(value, { keys: [], sorted: [] })
}

/** SHA-256 of bytes or UTF-8 text, in hex. */
export function sha256(content: string | Uint8Array): string {
  return Bun.CryptoHasher.hash('sha256', content, 'hex')
}

/** SHA-256 of the document's canonical form, in hex: the hash that every patch entry carries. */
export function hashDocument(document: Json): string {
  return sha256(canonicalJson(document))
}

/**
 * Applies RFC 6902 operations. What they don't touch, the result shares with the document, and their values with them:
 * neither is changed, and neither may be changed as long as the result is used.
 * @throws Error when an operation is malformed, its target is missing or a `test` fails.
 */
export function patch(document: Json, operations: readonly PatchOperation[]): Json {
  const copies = new Set<unknown>()
  let patched = document
  for (const [index, operation] of operations.entries()) {
    validator(operation, index)
    patched = ownWay(patched, operation.path, copies)
    if (operation.op === 'move') patched = ownWay(patched, operation.from, copies)
    patched = applyOperation(patched, operation, checkOperation, true, true, index).newDocument
  }
  return patched
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

/** Copies what lies on the way to where a pointer leads, as far as that isn't a copy: the patcher changes it in place. */
function ownWay(document: Json, pointer: string, copies: Set<unknown>): Json {
  const way = parsePointer(pointer)?.slice(0, -1)
  if (way === undefined) return document
  const own = ownCopy(document, copies)
  let holder = own
  for (const token of way) {
    if (typeof holder !== 'object' || holder === null || !Object.hasOwn(holder, token)) break
    const members = holder as { [key: string]: Json }
    members[token] = ownCopy(members[token] as Json, copies)
    holder = members[token]
  }
  return own
}

function ownCopy(value: Json, copies: Set<unknown>): Json {
  if (typeof value !== 'object' || value === null || copies.has(value)) return value
  const copy = Array.isArray(value) ? [...value] : { ...value }
  copies.add(copy)
  return copy
}

/**
 * Whether an operation fits the document, as RFC 6902 has it. Stricter than the patcher's own check, which takes
 * inherited members for the document's and `01` for an index, and cheaper: that one copies the document for every move.
 */
function checkOperation(operation: Operation, _index: number, document: unknown): void {
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

/** The keys of the last object, as they came and in order: the next one mostly has the same. */
interface LastKeys {
  keys: readonly string[]
  sorted: readonly { key: string; text: string }[]
}

/** Far faster than to sort and serialise each object by itself: a row's keys are those of the row before. */
function canonicalText(value: Json, last: LastKeys): string {
  if (typeof value === 'string') return stringifyJson(value)
  if (typeof value === 'number' && Number.isFinite(value)) return String(value)
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  let text = ''
  if (Array.isArray(value)) {
    for (const member of value) text += (text === '' ? '' : ',') + canonicalText(member, last)
    return `[${text}]`
  }
  for (const { key, text: name } of sortedKeys(value, last)) {
    text += (text === '' ? name : `,${name}`) + canonicalText(value[key] as Json, last)
  }
  return `{${text}}`
}

function sortedKeys(value: { [key: string]: Json }, last: LastKeys): LastKeys['sorted'] {
  const keys = Object.keys(value)
  if (keys.length !== last.keys.length || keys.some((key, at) => key !== last.keys[at])) {
    last.sorted = [...keys].sort().map((key) => ({ key, text: `${JSON.stringify(key)}:` }))
    last.keys = keys
  }
  return last.sorted
}
