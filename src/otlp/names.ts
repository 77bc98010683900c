import { sha256 } from '../core/documents/document.ts'
import { MAX_NAME_LENGTH, OWN_PREFIX, UNREADABLE } from '../topology/rules.ts'

/** Of the digest that tells names apart which begin alike. */
const DIGEST_CHARS = 6
const EVERY_UNREADABLE = new RegExp(UNREADABLE, 'gu')

/** Before a name that begins as those of Weir's own parts do, such as `weir:3000`, an address. */
const FOREIGN = 'at '

/**
 * The name as the topology takes it for an id: what nobody can read becomes a space, and of one that is too long the
 * rest becomes a digest, so that two names stay two.
 * @returns undefined where nothing is left.
 */
export function fitName(text: string): string | undefined {
  const plain = text.replace(EVERY_UNREADABLE, ' ').trim()
  const readable = plain.startsWith(OWN_PREFIX) ? FOREIGN + plain : plain
  if (readable.length <= MAX_NAME_LENGTH) return readable || undefined
  const start = readable.slice(0, MAX_NAME_LENGTH - DIGEST_CHARS - 1)
  return `${start.replace(EVERY_UNREADABLE, '')}…${sha256(readable).slice(0, DIGEST_CHARS)}`
}
