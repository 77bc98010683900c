import { IDENTITY_KEYS } from './diff.ts'
import type { Json } from './document.ts'

/** The keys that identify the members of one array of objects. */
export interface ArrayFound {
  /** JSON Pointer of the array, with `*` for any index on the way. */
  path: string
  members: number
  /** Omitted if no key identifies them: then members are compared by position. */
  key: string | undefined
}

/** Values examined in a document; arrays beyond that aren't found. */
const MAX_VALUES = 20_000
/** Arrays reported; further ones are left out. */
const MAX_ARRAYS = 5
/** With fewer members, nothing can be concluded about their keys. */
const MIN_MEMBERS = 2
/** Names that identifying keys tend to have. */
const WORD = /(^|[_-])(id|guid|key|code|slug|symbol|sku|ticker|isin|iban|name|number|no)$/i
const WORD_IN_CAMEL_CASE = /[a-z](Id|ID|Key|Code|Name|Number)$/

/** A document's arrays of objects, those nearest to the root first. */
export function findArrays(document: Json): ArrayFound[] {
  const found = new Map<string, ArrayFound>()
  const queue: { value: Json; path: string }[] = [{ value: document, path: '' }]
  for (let at = 0; at < queue.length && found.size < MAX_ARRAYS; at++) {
    const { value, path } = queue[at] as (typeof queue)[number]
    if (Array.isArray(value) && !found.has(path)) {
      const array = describe(value, path)
      if (array !== undefined) found.set(path, array)
    }
    for (const next of within(value, path)) {
      if (queue.length >= MAX_VALUES) break
      queue.push(next)
    }
  }
  return [...found.values()]
}

/**
 * The `arrayKeys` to suggest for a stream of this document: empty if the usual keys, or none, are enough. It replaces the
 * usual ones, so it includes those that are needed as well.
 */
export function suggestArrayKeys(arrays: readonly ArrayFound[]): string[] {
  const keys = [...new Set(arrays.flatMap(({ key }) => key ?? []))]
  return keys.every((key) => IDENTITY_KEYS.includes(key)) ? [] : keys
}

function describe(array: readonly Json[], path: string): ArrayFound | undefined {
  const isOfObjects = array.every((each) => typeof each === 'object' && each !== null && !Array.isArray(each))
  if (array.length < MIN_MEMBERS || !isOfObjects) return undefined
  const members = array as readonly { [key: string]: Json }[]
  const [first = {}] = members
  const telling = Object.keys(first).filter((key) => WORD.test(key) || WORD_IN_CAMEL_CASE.test(key))
  const candidates = [...IDENTITY_KEYS, ...telling]
  return { path, members: members.length, key: candidates.find((key) => tellsApart(members, key)) }
}

/** Whether every member has the key, each with a different value. */
function tellsApart(members: readonly { [key: string]: Json }[], key: string): boolean {
  const values = new Set<Json>()
  for (const member of members) {
    const value = Object.hasOwn(member, key) ? member[key] : undefined
    if (typeof value !== 'string' && typeof value !== 'number') return false
    values.add(value)
  }
  return values.size === members.length
}

/** The members of an object or array that may contain arrays. */
function within(value: Json, path: string): { value: Json; path: string }[] {
  if (typeof value !== 'object' || value === null) return []
  const held: [string, Json][] = Array.isArray(value)
    ? value.slice(0, MAX_VALUES).map((each) => ['*', each])
    : Object.entries(value)
  return held.flatMap(([key, each]) =>
    typeof each === 'object' && each !== null ? { value: each, path: `${path}/${escaped(key)}` } : [],
  )
}

/** @see https://www.rfc-editor.org/rfc/rfc6901#section-3 */
function escaped(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1')
}
