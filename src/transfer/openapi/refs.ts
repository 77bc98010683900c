import { parsePointer, select } from '../../core/pointer.ts'
import { Problem } from '../../errors.ts'
import { type Fields, isFields } from '../fields.ts'

/** References followed from one to the next; a longer chain goes in a circle. */
const MAX_HOPS = 32

/** The references within a document. Nothing outside of it is ever fetched. */
export class Refs {
  readonly #document: Fields

  constructor(document: Fields) {
    this.#document = document
  }

  /**
   * The object that a value is or refers to.
   * @returns undefined for what is no object
   * @throws Problem `invalid_field` for a reference that leads outside, nowhere or in a circle
   */
  resolve(value: unknown): Fields | undefined {
    let found = value
    for (let hops = 0; hops <= MAX_HOPS; hops++) {
      if (!isFields(found)) return undefined
      if (typeof found.$ref !== 'string') return found
      found = this.#target(found.$ref)
    }
    throw refuse((value as { $ref: string }).$ref, 'leads in a circle')
  }

  #target(ref: string): unknown {
    if (!ref.startsWith('#')) throw refuse(ref, 'leads outside of the document; bundle it into one first')
    const pointer = parsePointer(decoded(ref.slice(1)))
    const found = pointer && select(this.#document, pointer)
    if (found === undefined) throw refuse(ref, 'leads nowhere')
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
