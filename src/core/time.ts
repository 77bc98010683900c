export const SECOND_MS = 1_000
export const MINUTE_MS = 60 * SECOND_MS
export const HOUR_MS = 60 * MINUTE_MS
export const DAY_MS = 24 * HOUR_MS

/** A calendar date, with a time of day in a zone that it names. @see https://www.rfc-editor.org/rfc/rfc3339#section-5.6 */
const INSTANT =
  /^(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)? ?([Zz]|[+-](?:[01]\d|2[0-3]):?[0-5]\d))?$/
/** A time that would be an instant if it named its zone. */
const ZONELESS = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d([.,]\d+)?)?$/
/** A zone whose `+` was read as a space, as in the query of a URL. */
const LOST_PLUS = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d([.,]\d+)?)? \d\d:?\d\d$/

/** What {@link parseInstant} accepts, for messages. */
export const INSTANT_FORMS = '2026-01-31T12:00:00Z, 2026-01-31T12:00:00+01:00 or 2026-01-31 (midnight UTC)'

/**
 * Parses a time that a person or program wrote: ISO 8601 with a zone, or a date alone, which is midnight in UTC.
 * Anything that two readers could take for two instants isn't one: a time without a zone, a date such as 03/04/2026.
 */
export function parseInstant(text: string): Date | undefined {
  const parts = INSTANT.exec(text.trim())
  if (parts === null) return undefined
  const [, year, month, day, hours = '00', minutes = '00', seconds = '00', fraction = '', zone = 'Z'] = parts
  const date = `${year}-${month}-${day}`
  if (!isDate(date)) return undefined
  // The length of a fraction is the writer's, that of a Date is three digits.
  const millis = fraction.slice(0, 3).padEnd(3, '0')
  const offset = zone.toUpperCase() === 'Z' ? 'Z' : `${zone.slice(0, 3)}:${zone.slice(-2)}`
  const at = new Date(`${date}T${hours}:${minutes}:${seconds}.${millis}${offset}`)
  return Number.isNaN(at.getTime()) ? undefined : at
}

/** What is wrong with a text that isn't an instant, and what to write instead. */
export function instantProblem(name: string, text: string): string {
  const expected = `expected a time such as ${INSTANT_FORMS}.`
  if (ZONELESS.test(text.trim())) return `${name}: the time has no zone; ${expected}`
  if (LOST_PLUS.test(text.trim())) return `${name}: write the + of the zone as %2B in a URL; ${expected}`
  return `${name}: ${expected}`
}

/** Whether the calendar has this day: a Date takes the 30th of February for the 2nd of March. */
function isDate(text: string): boolean {
  const at = new Date(`${text}T00:00:00Z`)
  return !Number.isNaN(at.getTime()) && at.toISOString().startsWith(text)
}
