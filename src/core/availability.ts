import { DAY_MS, HOUR_MS, MINUTE_MS } from './time.ts'

/** The windows that are shown, by name; in milliseconds. */
export const AVAILABILITY_WINDOWS = {
  '1h': HOUR_MS,
  '24h': DAY_MS,
  '7d': 7 * DAY_MS,
  '30d': 30 * DAY_MS,
  '90d': 90 * DAY_MS,
} as const
export type AvailabilityWindow = keyof typeof AVAILABILITY_WINDOWS
export const AVAILABILITY_WINDOW_NAMES = Object.keys(AVAILABILITY_WINDOWS) as AvailabilityWindow[]

/** How long a segment of a window's bar is, in milliseconds: at most 90 segments. */
export const AVAILABILITY_SEGMENTS: Readonly<Record<AvailabilityWindow, number>> = {
  '1h': MINUTE_MS,
  '24h': 30 * MINUTE_MS,
  '7d': 2 * HOUR_MS,
  '30d': 12 * HOUR_MS,
  '90d': DAY_MS,
}

/** How available an API was. What doesn't apply to its basis is null. */
export interface Availability {
  /** 0 to 1; null while nothing is known. */
  share: number | null
  /** Scheduled checks of a polled stream, time of a connected one, or the mean over streams. */
  basis: 'checks' | 'time' | 'mean'
  /** Streams with a share. */
  streams: number
  /** Scheduled checks. */
  answered: number | null
  unanswered: number | null
  /** Time that was observed; that of many streams is added up. */
  upMs: number | null
  downMs: number | null
  /** Time of the window in which Weir didn't follow the stream, or its notifications were silenced. */
  unknownMs: number | null
  /** From when on anything is known within the window; null if nothing is. */
  observedFrom: Date | null
}

/** A window of which this share of its beginning is unknown isn't called by its length. */
const PARTIAL_SHARE = 0.1

/** Since when a window is known, if that isn't for about as long as it is; `undefined` if it is, or nothing is known. */
export function observedSince(
  { observedFrom }: { observedFrom: Date | string | null },
  { from, to }: { from: Date; to: Date },
): Date | undefined {
  if (observedFrom === null) return undefined
  const since = new Date(observedFrom)
  const missingMs = since.getTime() - from.getTime()
  return missingMs > PARTIAL_SHARE * (to.getTime() - from.getTime()) ? since : undefined
}

/** {@link observedSince} of a window that ends at an instant. */
export function windowSince(
  found: { observedFrom: Date | string | null },
  name: AvailabilityWindow,
  to: number,
): Date | undefined {
  return observedSince(found, { from: new Date(to - AVAILABILITY_WINDOWS[name]), to: new Date(to) })
}

export interface AvailabilityStep extends Availability {
  at: Date
}

/**
 * An availability for people, to two decimals, rounded down: 100% only if nothing failed, and 0% only if nothing worked. A
 * dash for null.
 */
export function availabilityText(share: number | null): string {
  if (share === null) return '–'
  if (share >= 1) return '100%'
  if (share <= 0) return '0%'
  // Stored shares have six decimals: 0.9999 must not become 99.98 by a rounding error.
  const hundredths = Math.min(9_999, Math.max(1, Math.floor(share * 10_000 + 1e-6)))
  return `${(hundredths / 100).toFixed(2)}%`
}
