import { parsePointer, select } from '../../core/documents/pointer.ts'
import { Problem } from '../../errors.ts'
import { MAX_URL_CHARS } from '../../streams/registry/registration.ts'
import { type Budget, many } from '../bounds.ts'
import { isFields, type JsonObject, valueText } from '../fields.ts'

/** Length of a chain of references; a longer one is treated as circular. */
const MAX_HOPS = 32
const MAX_REF_CHARS = 2_048

/**
 * Resolves references within a document; nothing outside it is ever fetched. Results that take long are cached,
 * because many operations share them.
 */
export class Refs {
  readonly budget: Budget
  readonly #document: JsonObject
  readonly #targets = new Map<string, unknown>()
  readonly #known = new WeakMap<object, Map<string, unknown>>()

  constructor(document: JsonObject, budget: Budget) {
    this.#document = document
    this.budget = budget
  }

  /**
   * The object that a value is or refers to.
   * @returns undefined if it isn't an object
   * @throws Problem `invalid_field` for a reference that points outside, to nothing, or in a circle; `too_large`
   */
  resolve(value: unknown): JsonObject | undefined {
    let found = value
    for (let hops = 0; hops <= MAX_HOPS; hops++) {
      this.budget.step()
      if (!isFields(found)) return undefined
      if (typeof found.$ref !== 'string') return found
      found = this.#target(found.$ref)
    }
    throw refuse((value as { $ref: string }).$ref, 'is circular')
  }

  /** The value of an object's first field. */
  first(fields: JsonObject): unknown {
    return this.once(fields, 'first', () => {
      const [value] = Object.values(fields)
      return value
    })
  }

  /**
   * A value as text.
   * @throws Problem `too_large` if no URL has room for it
   */
  text(value: unknown, what: string): string {
    if (this.fits(value)) return valueText(value)
    throw new Problem('too_large', `${what} has more than ${many(MAX_URL_CHARS)} characters. Shorten it.`)
  }

  /** Whether a value, as text, is about short enough for a URL. */
  fits(value: unknown): boolean {
    if (typeof value === 'string') return value.length <= MAX_URL_CHARS
    if (typeof value !== 'object' || value === null) return true
    return this.once(value, 'fits', () => this.#isShort(value))
  }

  /** A cached result for a part of the document. */
  once<T>(part: object, what: string, make: () => T): T {
    const known = this.#known.get(part) ?? new Map<string, unknown>()
    if (known.has(what)) return known.get(what) as T
    const made = make()
    this.#known.set(part, known.set(what, made))
    return made
  }

  #isShort(value: object): boolean {
    let left = MAX_URL_CHARS
    const waiting: unknown[] = [value]
    while (waiting.length > 0) {
      const each = waiting.pop()
      if (typeof each === 'string') left -= each.length
      else if (typeof each === 'object' && each !== null) {
        const members = Array.isArray(each) ? each : Object.entries(each).flat()
        this.budget.step(members.length)
        left -= members.length
        if (left >= 0) waiting.push(...members)
      }
      if (--left < 0) return false
    }
    return true
  }

  #target(ref: string): unknown {
    if (this.#targets.has(ref)) return this.#targets.get(ref)
    if (ref.length > MAX_REF_CHARS) throw refuse(ref, `has more than ${many(MAX_REF_CHARS)} characters`)
    if (!ref.startsWith('#')) throw refuse(ref, 'points outside the document; bundle the files first')
    const pointer = parsePointer(decoded(ref.slice(1)))
    const found = pointer && select(this.#document, pointer)
    if (found === undefined) throw refuse(ref, 'points to nothing')
    this.#targets.set(ref, found)
    return found
  }
}

function decoded(fragment: string): string {
  try {
    return decodeURIComponent(fragment)
  } catch {
    return fragment
  }
}

function refuse(ref: string, why: string): Problem {
  return new Problem('invalid_field', `The reference ${ref.slice(0, 200)} ${why}.`, '$ref')
}
