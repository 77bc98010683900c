import { createHash } from 'node:crypto'
import { compare } from 'fast-json-patch'

/** Every so many numbers, one carries a large text. */
const LARGE_EVERY = 50
const LARGE_REPEATS = 600
/** Members of a document, and how many versions each of them lasts. */
const MEMBERS = 8
const VERSIONS_PER_MEMBER = 5

/** A version of a counting service's document. */
export interface NumberedDocument {
  version: number
  name: string
  members: { id: number; label: string; value: number }[]
  about: string
}

/** The data of an event of a counting service: any alteration is detectable. */
export function numberData(name: string, n: number): string {
  const text = n % LARGE_EVERY === 0 ? 'ä€😀 '.repeat(LARGE_REPEATS) : `tick ${n} of ${name}`
  return JSON.stringify({ name, n, text })
}

/** A version of its document: some members change, and now and then one is added and one removed. */
export function documentAt(name: string, version: number): NumberedDocument {
  const first = Math.floor(version / VERSIONS_PER_MEMBER)
  const members = Array.from({ length: MEMBERS }, (_, position) => {
    const id = first + position
    return { id, label: `member ${id}`, value: version - (version % ((id % 4) + 1)) }
  })
  return {
    version,
    name,
    members,
    about: `The document of ${name}, which is long enough to be worth patching.`,
  }
}

/**
 * The patch from the previous version to this one, as text.
 * @see https://datatracker.ietf.org/doc/html/rfc6902
 */
export function patchTo(name: string, version: number): string {
  return JSON.stringify(compare(documentAt(name, version - 1), documentAt(name, version)))
}

/** The UUID of a number: always the same one, and without any order. */
export function uuidOf(name: string, number: number): string {
  const hex = createHash('sha256').update(`${name} ${number}`).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}
