import { parseColor } from '../core/color.ts'
import { Problem } from '../errors.ts'

/** Longest ID or name, in UTF-16 units. */
export const MAX_NAME_LENGTH = 64
const MAX_URL_LENGTH = 2048
/** Control characters, line and paragraph separators, halves of surrogate pairs. */
export const UNREADABLE = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u

/** Kinds of node that programs may report; the others are Weir's own parts. */
export const REPORTED_KINDS = ['service', 'database', 'queue'] as const
export type ReportedKind = (typeof REPORTED_KINDS)[number]

/** Prefix of the IDs of Weir's own parts, reserved for them. */
export const OWN_PREFIX = 'weir:'

/** @throws Problem `invalid_field` unless it is a name without the reserved prefix. */
export function requireId(id: string, field: string): void {
  requireName(id, field)
  if (id.startsWith(OWN_PREFIX)) {
    throw new Problem('invalid_field', `Names that begin with ${OWN_PREFIX} are reserved for Weir.`, field)
  }
}

/** @throws Problem `invalid_field` unless it is a readable name of at most `MAX_NAME_LENGTH`. */
export function requireName(name: string, field: string): void {
  if (name.trim() === '' || name.length > MAX_NAME_LENGTH || UNREADABLE.test(name)) {
    const detail = `Expected 1 to ${MAX_NAME_LENGTH} characters, not only whitespace, without control characters.`
    throw new Problem('invalid_field', detail, field)
  }
}

/** @throws Problem `invalid_field` unless it is an http or https URL without credentials. */
export function requireUrl(text: string, field: string): void {
  const url = text.length > MAX_URL_LENGTH ? null : URL.parse(text)
  const isHttp = url !== null && /^https?:$/.test(url.protocol)
  if (!isHttp || url.username !== '' || url.password !== '' || UNREADABLE.test(text)) {
    const detail = `Expected an http or https URL without credentials, of at most ${MAX_URL_LENGTH} characters.`
    throw new Problem('invalid_field', detail, field)
  }
}

/**
 * The color as `parseColor` returns it.
 * @throws Problem `invalid_field` if it is neither a named color nor `#rrggbb` nor `hsl(…)`.
 */
export function requireColor(text: string, field: string): string {
  const color = parseColor(text)
  if (color === undefined)
    throw new Problem('invalid_field', 'Expected a color name, #rrggbb or hsl(…).', field)
  return color
}
