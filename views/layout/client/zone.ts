// The time zone of the console: the reader's own, or UTC if that was chosen.

/** In the form that `Intl` takes; undefined for the reader's own. */
export function timeZone(): string | undefined {
  return document.documentElement.dataset.zone === 'utc' ? 'UTC' : undefined
}

/** Name of the zone, for people. */
export function zoneName(): string {
  return timeZone() ?? Intl.DateTimeFormat().resolvedOptions().timeZone
}

/** An instant to the second, in the reader's locale. */
export function momentText(at: Date): string {
  const style = { dateStyle: 'medium', timeStyle: 'medium', timeZone: timeZone() } as const
  return new Intl.DateTimeFormat(undefined, style).format(at)
}

/** Length of an ISO 8601 timestamp, down to minutes and down to milliseconds. */
const LENGTHS = { minute: 16, millisecond: 23 } as const

/** An instant in a sortable form, as the server writes it in UTC. */
export function instantText(at: Date, to: keyof typeof LENGTHS): string {
  const aheadMs = timeZone() === 'UTC' ? 0 : -at.getTimezoneOffset() * 60_000
  return new Date(at.getTime() + aheadMs).toISOString().slice(0, LENGTHS[to]).replace('T', ' ')
}
