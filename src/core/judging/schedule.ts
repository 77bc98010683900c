/** Days of the week as ISO 8601 counts them. */
export const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const
export type Weekday = (typeof DAYS)[number]

/** A recurring time window, by the wall clock of a time zone. */
export interface Schedule {
  /** A name of the IANA time zone database. */
  timeZone: string
  /** The days on which it starts. */
  days: readonly Weekday[]
  /** When it starts, `HH:MM`. */
  from: string
  /** Its duration in elapsed minutes, whatever the clock does. Up to {@link MAX_WINDOW_MINUTES}. */
  durationMinutes: number
}

/** From one instant to another, excluding the end; milliseconds since the epoch. */
export interface WindowAt {
  from: number
  to: number
}

/** A week: a longer window would overlap itself. */
export const MAX_WINDOW_MINUTES = 10_080
const MINUTES_A_DAY = 1_440

/** Whether the time zone exists. An offset such as `+02:00` isn't one: it has no daylight saving. */
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
 * The window that contains an instant; if two overlap, the one that ends last.
 *
 * A start that the clock skips moves by the same amount (02:30 becomes 03:30); one that occurs twice is the first of the two.
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

/** The first window that starts after an instant. */
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

/** The window that starts on a day; `undefined` if there is none. */
function windowOn(schedule: Schedule, date: Temporal.PlainDate): WindowAt | undefined {
  const { timeZone, days, from, durationMinutes } = schedule
  if (!days.includes(DAYS[date.dayOfWeek - 1] as Weekday)) return undefined
  const start = date.toZonedDateTime({ timeZone, plainTime: Temporal.PlainTime.from(from) })
  return { from: start.epochMilliseconds, to: start.epochMilliseconds + durationMinutes * 60_000 }
}
