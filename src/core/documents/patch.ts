import type { Json, PatchOperation } from './document.ts'
import { isEqual } from './member-names.ts'
import { parsePointer, select } from './pointer.ts'
import { checkLevel, TooMuch, Work } from './work.ts'

/** Array items shifted in the time of one step: they are copied as a block. */
const ITEMS_A_STEP = 32
/** Approximate bytes of a number, a word, or a member, without keys and strings. */
const SCALAR_BYTES = 5
const MEMBER_BYTES = 4

/** Bounds for applying a patch. */
export interface PatchBounds {
  /** Total bytes that `copy` operations may add to the document. Default: no bound. */
  maxCopiedBytes?: number
  /** Default: as many steps as a comparison may take. */
  work?: Work
}

/**
 * Applies RFC 6902 operations. The result shares untouched parts with the document, and values with the operations: neither is
 * modified, and neither may be modified while the result is in use.
 * @throws Error when an operation is malformed, its target is missing or a `test` fails; `TooMuch` at a bound, which is
 *   checked before each operation and never exceeded by one.
 */
export function patch(document: Json, operations: readonly PatchOperation[], bounds: PatchBounds = {}): Json {
  const patcher = new Patcher(document, bounds)
  for (const operation of operations) patcher.apply(operation)
  return patcher.document
}

type Members = { [key: string]: Json }

class Patcher {
  document: Json
  readonly #work: Work
  #bytesLeft: number
  readonly #maxBytes: number
  /** Parts that already belong to the result, and may be changed in place. */
  readonly #copies = new Set<unknown>()

  constructor(document: Json, { maxCopiedBytes = Number.POSITIVE_INFINITY, work = new Work() }: PatchBounds) {
    this.document = document
    this.#work = work
    this.#maxBytes = maxCopiedBytes
    this.#bytesLeft = maxCopiedBytes
  }

  apply(operation: PatchOperation): void {
    this.#work.spend(1 + operation.path.length)
    const path = checkOperation(operation, this.document)
    switch (operation.op) {
      case 'add':
        this.#put(path, operation.value)
        return
      case 'replace':
        this.#replace(path, operation.value)
        return
      case 'remove':
        this.#take(path)
        return
      case 'move':
        this.#put(path, this.#take(pointerOf(operation.from)))
        return
      case 'copy':
        this.#put(path, this.#copyOf(select(this.document, pointerOf(operation.from)) as Json, 0))
        return
      case 'test':
        if (!isEqual(select(this.document, path) as Json, operation.value, this.#work)) {
          throw refusal(operation, 'the value differs')
        }
        return
      default:
        throw refusal(operation, 'unknown operation')
    }
  }

  #put(path: readonly string[], value: Json): void {
    const key = path.at(-1)
    if (key === undefined) {
      this.document = value
      return
    }
    const holder = this.#own(path)
    if (!Array.isArray(holder)) holder[key] = value
    else {
      const at = key === '-' ? holder.length : Number(key)
      this.#work.spend((holder.length - at) / ITEMS_A_STEP)
      if (at === holder.length) holder.push(value)
      else holder.splice(at, 0, value)
    }
  }

  #replace(path: readonly string[], value: Json): void {
    const key = path.at(-1)
    if (key === undefined) this.document = value
    else (this.#own(path) as Members)[key] = value
  }

  #take(path: readonly string[]): Json {
    const key = path.at(-1)
    if (key === undefined) {
      const whole = this.document
      this.document = null
      return whole
    }
    const holder = this.#own(path)
    const taken = (holder as Members)[key] as Json
    if (!Array.isArray(holder)) delete holder[key]
    else {
      const at = Number(key)
      this.#work.spend((holder.length - at) / ITEMS_A_STEP)
      if (at === holder.length - 1) holder.pop()
      else holder.splice(at, 1)
    }
    return taken
  }

  /** The container of the value that a pointer selects, copied with everything on the way, unless already a copy. */
  #own(path: readonly string[]): Json[] | Members {
    this.document = this.#ownCopy(this.document)
    let holder = this.document as Members
    for (let at = 0; at < path.length - 1; at++) {
      const token = path[at] as string
      const own = this.#ownCopy(holder[token] as Json)
      holder[token] = own
      holder = own as Members
    }
    return holder
  }

  #ownCopy(value: Json): Json {
    if (typeof value !== 'object' || value === null || this.#copies.has(value)) return value
    if (Array.isArray(value)) this.#work.spend(value.length / ITEMS_A_STEP)
    const copy = Array.isArray(value) ? [...value] : { ...value }
    if (!Array.isArray(copy)) this.#work.spend(Object.keys(copy).length)
    this.#copies.add(copy)
    return copy
  }

  /** A deep copy of a value: nothing that may be changed in place may be reachable twice. */
  #copyOf(value: Json, level: number): Json {
    this.#work.spend(1)
    checkLevel(level)
    if (typeof value === 'string') this.#grow(value.length + 2)
    else this.#grow(SCALAR_BYTES)
    if (typeof value !== 'object' || value === null) return value
    if (Array.isArray(value)) return value.map((member) => this.#copyOf(member, level + 1))
    const copy: Members = {}
    for (const key of Object.keys(value)) {
      this.#grow(key.length + MEMBER_BYTES)
      const member = this.#copyOf(value[key] as Json, level + 1)
      if (key === '__proto__') Object.defineProperty(copy, key, { value: member, ...PLAIN })
      else copy[key] = member
    }
    return copy
  }

  #grow(bytes: number): void {
    this.#bytesLeft -= bytes
    if (this.#bytesLeft < 0) {
      throw new TooMuch('bytes', `its copies add more than ${this.#maxBytes} bytes to the document`)
    }
  }
}

const PLAIN = { writable: true, enumerable: true, configurable: true }

/**
 * Checks that an operation fits the document, as RFC 6902 requires: inherited members aren't the document's, and `01` isn't an
 * index. Nothing reaches what objects inherit.
 * @returns the pointer of its path
 */
function checkOperation(operation: PatchOperation, document: unknown): readonly string[] {
  const refuse = (why: string) => refusal(operation, why)
  const path = parsePointer(operation.path)
  if (path === undefined) throw refuse('not a JSON Pointer')
  if (leadsToPrototype(path)) throw refuse('an inherited key')
  if ('value' in operation ? operation.value === undefined : hasValue(operation.op)) throw refuse('no value')
  if (operation.op === 'remove' || operation.op === 'replace' || operation.op === 'test') {
    if (select(document, path) === undefined) throw refuse('the target does not exist')
    return path
  }
  let taken: unknown
  if (operation.op === 'move' || operation.op === 'copy') {
    const from = typeof operation.from === 'string' ? parsePointer(operation.from) : undefined
    if (from === undefined || select(document, from) === undefined) throw refuse('`from` does not exist')
    if (leadsToPrototype(from)) throw refuse('an inherited key')
    if (operation.op === 'copy') taken = undefined
    else if (operation.path.startsWith(`${operation.from}/`)) throw refuse('a move into itself')
    else taken = select(document, from.slice(0, -1))
  }
  const last = path.at(-1)
  if (last === undefined) return path
  const holder = select(document, path.slice(0, -1))
  if (typeof holder !== 'object' || holder === null) throw refuse('the parent does not exist')
  if (!Array.isArray(holder) || last === '-') return path
  const most = holder === taken ? holder.length - 1 : holder.length
  if (!/^(0|[1-9]\d*)$/.test(last) || Number(last) > most) throw refuse('the index is out of range')
  return path
}

function hasValue(op: PatchOperation['op']): boolean {
  return op === 'add' || op === 'replace' || op === 'test'
}

/** Whether a path contains `__proto__`, the only name whose assignment doesn't create a member. */
function leadsToPrototype(path: readonly string[]): boolean {
  return path.includes('__proto__')
}

function pointerOf(text: string): readonly string[] {
  return parsePointer(text) ?? []
}

function refusal({ op, path }: PatchOperation, why: string): Error {
  return new Error(`${op} ${path}: ${why}`)
}
