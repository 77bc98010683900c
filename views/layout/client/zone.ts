// The zone that times are written in: the reader's own, or UTC where that was chosen.

/** As `Intl` wants it; undefined: the reader's own. */
export function timeZone(): string | undefined {
  return document.documentElement.dataset.zone === 'utc' ? 'UTC' : undefined
}

/** Its name, for people. */
export function zoneName(): string {
  return timeZone() ?? Intl.DateTimeFormat().resolvedOptions().timeZone
}

/** An instant to the second as people of the zone write it. */
export function momentText(at: Date): string {
  const style = { dateStyle: 'medium', timeStyle: 'medium', timeZone: timeZone() } as const
  return new Intl.DateTimeFormat(undefined, style).format(at)
}

/** Characters of an instant in ISO 8601, up to its minutes and its milliseconds. */
const LENGTHS = { minute: 16, millisecond: 23 } as const

/** An instant in a form that sorts, as the server writes it in UTC. */
export function instantText(at: Date, to: keyof typeof LENGTHS): string {
  const aheadMs = timeZone() === 'UTC' ? 0 : -at.getTimezoneOffset() * 60_000
  return new Date(at.getTime() + aheadMs).toISOString().slice(0, LENGTHS[to]).replace('T', ' ')
}
