import type { Json } from '../../src/core/documents/document.ts'
import { parseJson } from '../../src/core/documents/json.ts'
import { integer, pick, type Random, several } from './seeded.ts'

/** Keys that differs, patchers and pointers get wrong. */
export const ODD_KEYS: readonly string[] = [
  ...[
    'id',
    '_id',
    'key',
    'uuid',
    'name',
    'a',
    'b',
    '0',
    '-1',
    '-',
    '',
    ' ',
    '/',
    '~',
    '~1',
    'a/b',
    'm~n',
    '*',
  ],
  ...['length', '_t', '_0', 'zażółć', '😀', '\u2028', '"'],
]
/** Keys that name something in every object. */
export const INHERITED_KEYS: readonly string[] = ['__proto__', 'constructor', 'prototype', 'toString']

export const SCALARS: readonly Json[] = [
  ...[null, true, false, 0, -0, 1, 2, 3, -1.5, 1e21, 5e-324, Number.MAX_SAFE_INTEGER],
  ...['', 'a', 'b', 'two words', 'zażółć 😀', '\u0000\n\r', '\ud800', 'x'.repeat(80), '__proto__'],
  // What a double can't hold, and texts that look like what stands for it.
  ...[
    '12345678901234567890',
    '12345678901234567891',
    '0.10000000000000001',
    '-1e400',
    '"\\u0000n1"',
    '"\\u0000s"',
  ].map(parseJson),
]
export const IDS: readonly Json[] = [
  1,
  2,
  3,
  4,
  5,
  6,
  7,
  8,
  '1',
  'b',
  null,
  parseJson('12345678901234567890'),
]
const MAX_DEPTH = 6
const MAX_MEMBERS = 6
/** Documents made for a change are no deeper than these levels. */
const CHANGED_LEVELS = 2

/** Makes documents as `parseJson` could give them: `__proto__` is a member like any other. */
export class RandomDocuments {
  readonly #random: Random
  readonly #keys: readonly string[]

  constructor(random: Random, keys: readonly string[]) {
    this.#random = random
    this.#keys = keys
  }

  document(levels = MAX_DEPTH): Json {
    const kind = levels === 0 ? 0 : this.#random() + (levels === MAX_DEPTH ? 0.25 : 0)
    if (kind < 0.3) return pick(this.#random, SCALARS)
    if (kind < 0.55) return several(this.#random, MAX_MEMBERS, () => this.document(levels - 1))
    if (kind < 0.75) return this.#rows(levels)
    return this.#object(several(this.#random, MAX_MEMBERS, () => this.#member(levels)))
  }

  /** The document with a change: members added, removed, moved, doubled, replaced, at any depth. */
  change(document: Json): Json {
    if (typeof document !== 'object' || document === null || this.#random() < 0.05) return this.document(3)
    return Array.isArray(document) ? this.#changeArray([...document]) : this.#changeObject(document)
  }

  /** Objects that an id tells apart, or nearly: some share one, some have none. */
  #rows(levels: number): Json {
    const key = pick(this.#random, ['id', '_id', 'key', 'uuid'])
    return several(this.#random, 2 * MAX_MEMBERS, () => {
      const id = this.#random() < 0.1 ? {} : { [key]: pick(this.#random, IDS) }
      return { ...id, value: this.document(Math.max(levels - 2, 0)) }
    })
  }

  #member(levels: number): [key: string, value: Json] {
    return [pick(this.#random, this.#keys), this.document(levels - 1)]
  }

  #object(members: [key: string, value: Json][]): Json {
    return Object.fromEntries(members)
  }

  #changeArray(array: Json[]): Json {
    const at = integer(this.#random, array.length)
    const change = this.#random()
    if (change < 0.25 || array.length === 0) array.splice(at, 0, this.document(CHANGED_LEVELS))
    else if (change < 0.4) array.splice(at, 1)
    else if (change < 0.6) array.splice(integer(this.#random, array.length), 0, ...array.splice(at, 1))
    else if (change < 0.7) array.push(pick(this.#random, array))
    else if (change < 0.75) array.reverse()
    else array[at] = this.change(array[at] as Json)
    return array
  }

  #changeObject(object: { [key: string]: Json }): Json {
    const members = Object.entries(object)
    const at = integer(this.#random, members.length)
    const change = this.#random()
    const [key, value] = members[at] ?? ['', null]
    if (change < 0.25 || members.length === 0) members.push(this.#member(CHANGED_LEVELS))
    else if (change < 0.4) members.splice(at, 1)
    else if (change < 0.45) members.reverse()
    else members[at] = [key, this.change(value)]
    return this.#object(members)
  }
}
