/** Days of the week as ISO 8601 counts them. */
export const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const
export type Day = (typeof DAYS)[number]

/** A time that comes again and again, by the clock on the wall of a place. */
export interface Schedule {
  /** A name of the IANA time zone database. */
  timeZone: string
  /** On which days it begins. */
  days: readonly Day[]
  /** When it begins, `HH:MM`. */
  from: string
  /** How long it lasts, in minutes that pass, whatever the clock does meanwhile. Up to {@link MAX_WINDOW_MINUTES}. */
  durationMinutes: number
}

/** From one instant up to another, that one left out; milliseconds since the epoch. */
export interface WindowAt {
  from: number
  to: number
}

/** A week: longer ones would be in themselves. */
export const MAX_WINDOW_MINUTES = 10_080
const MINUTES_A_DAY = 1_440

/** Whether there is such a time zone. An offset such as `+02:00` is none: it knows no daylight saving. */
export function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z]/.test(name)) return false
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return true
  } catch {
    return false
  }
}

/**
 * The window that an instant lies in; where two overlap, the one that ends last.
 *
 * A beginning that the clock skips is later by as much as it skips (02:30 becomes 03:30); one that it shows twice is
 * the first of the two.
 */
export function windowAt(schedule: Schedule, atMs: number): WindowAt | undefined {
  const today = dateAt(schedule, atMs)
  const daysBack = Math.ceil(schedule.durationMinutes / MINUTES_A_DAY) + 1
  const windows = Array.from({ length: daysBack + 1 }, (_, days) =>
    windowOn(schedule, today.subtract({ days })),
  )
  return windows
    .filter((window) => window !== undefined && window.from <= atMs && atMs < window.to)
    .reduce((last, window) => ((window?.to ?? 0) > (last?.to ?? 0) ? window : last), undefined)
}

/** The first window that begins after an instant. */
export function windowAfter(schedule: Schedule, atMs: number): WindowAt | undefined {
  const today = dateAt(schedule, atMs)
  for (let days = -1; days <= DAYS.length + 1; days++) {
    const window = windowOn(schedule, today.add({ days }))
    if (window !== undefined && window.from > atMs) return window
  }
  return undefined
}

function dateAt({ timeZone }: Schedule, atMs: number): Temporal.PlainDate {
  return Temporal.Instant.fromEpochMilliseconds(atMs).toZonedDateTimeISO(timeZone).toPlainDate()
}

/** The window that begins on a day; `undefined` where none does. */
function windowOn(schedule: Schedule, date: Temporal.PlainDate): WindowAt | undefined {
  const { timeZone, days, from, durationMinutes } = schedule
  if (!days.includes(DAYS[date.dayOfWeek - 1] as Day)) return undefined
  const start = date.toZonedDateTime({ timeZone, plainTime: Temporal.PlainTime.from(from) })
  return { from: start.epochMilliseconds, to: start.epochMilliseconds + durationMinutes * 60_000 }
}
