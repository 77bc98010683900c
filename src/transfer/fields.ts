import { HIDDEN } from '../core/hidden.ts'
import { STREAM_FIELD, STREAM_FIELDS } from '../core/sets/stream-fields.ts'

/** The fields of a registration in a file, in the order they are written. */
export const REGISTRATION_FIELDS = [
  'id',
  'name',
  'url',
  'kind',
  'intervalMs',
  'silenceMs',
  'deadAfterFailures',
  'deadAfterMs',
  'resumes',
  'method',
  'headers',
  'body',
  'cookies',
  'repeatable',
  'auth',
  'tls',
  'messages',
  ...STREAM_FIELDS,
  'push',
  'retention',
  'start',
  'twin',
] as const
export type Field = (typeof REGISTRATION_FIELDS)[number]

/** Fields that are whole numbers. */
export const NUMBERS: readonly Field[] = ['intervalMs', 'silenceMs', 'deadAfterFailures', 'deadAfterMs']

/** Fields that are lists of strings. */
export const LISTS: readonly Field[] = STREAM_FIELDS.filter((name) => STREAM_FIELD[name].type === 'list')

export type JsonObject = Record<string, unknown>

/** Whether a header of that name exists, ignoring case. */
export function hasHeader(headers: Readonly<Record<string, string>>, name: string): boolean {
  return Object.keys(headers).some((each) => each.toLowerCase() === name.toLowerCase())
}

/**
 * A value as text: JSON unless it is text already, and nothing if it can't be serialized, such as a list that
 * contains itself.
 */
export function valueText(value: unknown): string {
  if (typeof value === 'string') return value
  try {
    return JSON.stringify(value) ?? ''
  } catch {
    return ''
  }
}

/** Whether a value is an object. */
export function isFields(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Headers with the given values for hidden ones; those without a value stay hidden. */
export function revealed(headers: JsonObject, values: Readonly<Record<string, string>>): JsonObject {
  const given = new Map(Object.entries(values).map(([name, value]) => [name.toLowerCase(), value]))
  const shown = Object.entries(headers).map(([name, value]) => [
    name,
    value === HIDDEN ? (given.get(name.toLowerCase()) ?? HIDDEN) : value,
  ])
  return Object.fromEntries(shown)
}
