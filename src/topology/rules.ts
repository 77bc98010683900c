import { parseColour } from '../core/colour.ts'
import { Problem } from '../errors.ts'

/** Of an id or a name, in UTF-16 units. */
export const MAX_NAME_LENGTH = 64
const MAX_URL_LENGTH = 2048
/** Control characters, line and paragraph separators, halves of surrogate pairs. */
const UNREADABLE = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u

/** @throws Problem `invalid_field` unless it is a name people can read, of up to `MAX_NAME_LENGTH`. */
export function requireName(name: string, field: string): void {
  if (name.trim() === '' || name.length > MAX_NAME_LENGTH || UNREADABLE.test(name)) {
    const detail = `Expected 1 to ${MAX_NAME_LENGTH} characters, not all blank, without control characters.`
    throw new Problem('invalid_field', detail, field)
  }
}

/** @throws Problem `invalid_field` unless it is an http or https URL without credentials. */
export function requireUrl(text: string, field: string): void {
  const url = text.length > MAX_URL_LENGTH ? null : URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') {
    const detail = `Expected an http or https URL without credentials, of up to ${MAX_URL_LENGTH} characters.`
    throw new Problem('invalid_field', detail, field)
  }
}

/**
 * The colour as `parseColour` gives it.
 * @throws Problem `invalid_field` when it is neither a known name nor `#rrggbb`.
 */
export function requireColour(text: string, field: string): string {
  const colour = parseColour(text)
  if (colour === undefined) throw new Problem('invalid_field', 'Expected a colour name or #rrggbb.', field)
  return colour
}
