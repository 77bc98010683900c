import { sha256 } from '../core/documents/document.ts'
import { MAX_NAME_LENGTH, OWN_PREFIX, UNREADABLE } from '../topology/rules.ts'

/** Length of the digest that distinguishes names with the same beginning. */
const DIGEST_CHARS = 6
const EVERY_UNREADABLE = new RegExp(UNREADABLE, 'gu')

/** Prefix for names that look like those of Weir's own parts, such as the address `weir:3000`. */
const FOREIGN = 'at '

/**
 * The name as a valid ID in the topology: unreadable characters become spaces, and a name that is too long ends in a
 * digest, so that different names stay different.
 * @returns undefined if nothing is left.
 */
export function fitName(text: string): string | undefined {
  const plain = text.replace(EVERY_UNREADABLE, ' ').trim()
  const readable = plain.startsWith(OWN_PREFIX) ? FOREIGN + plain : plain
  if (readable.length <= MAX_NAME_LENGTH) return readable || undefined
  const start = readable.slice(0, MAX_NAME_LENGTH - DIGEST_CHARS - 1)
  return `${start.replace(EVERY_UNREADABLE, '')}…${sha256(readable).slice(0, DIGEST_CHARS)}`
}
