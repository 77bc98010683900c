import { HOUR_MS } from '../time.ts'
/** Longest wait of the first retry, in milliseconds; doubles with every further failure. */
export const BACKOFF_BASE_MS = 1_000
/** No retry waits longer than this, in milliseconds, unless the upstream asks for it. */
export const BACKOFF_CAP_MS = 60_000
/** Once the backoff has grown, a failing poll is retried about twice this often in an interval: the mean wait is half. */
const RETRIES_PER_INTERVAL = 12
/** A longer `Retry-After` is capped to this, in milliseconds: an upstream's typo must not stop a stream for a year. */
export const RETRY_AFTER_CAP_MS = HOUR_MS

/**
 * How long to wait before the next attempt, in milliseconds: full jitter, uniform between 0 and
 * min(cap, base × 2^(failures − 1)).
 * @param failures consecutive failures so far, from 1
 * @param random uniform in [0, 1)
 * @param capMs longest wait, in milliseconds
 * @see https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
export function backoffMs(failures: number, random: () => number, capMs = BACKOFF_CAP_MS): number {
  return Math.round(random() * backoffCeilingMs(failures, capMs))
}

/** The longest wait before that attempt, in milliseconds. */
export function backoffCeilingMs(failures: number, capMs = BACKOFF_CAP_MS): number {
  return Math.min(capMs, BACKOFF_BASE_MS * 2 ** Math.min(failures - 1, 30))
}

/**
 * The longest wait between retries of a poll, in milliseconds: a share of its interval, because an API that is polled
 * once a day isn't asked once a minute while it fails.
 */
export function retryCapMs(intervalMs: number): number {
  return Math.max(BACKOFF_CAP_MS, intervalMs / RETRIES_PER_INTERVAL)
}

/**
 * Reads a `Retry-After` header: seconds or an HTTP date.
 * @returns milliseconds from `nowMs`, at least 0 and at most {@link RETRY_AFTER_CAP_MS}; `undefined` when absent or unreadable
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3
 */
export function retryAfterMs(header: string | null, nowMs: number): number | undefined {
  if (header === null) return undefined
  const text = header.trim()
  const waitMs = /^\d+$/.test(text) ? Number(text) * 1000 : httpDateMs(text) - nowMs
  if (Number.isNaN(waitMs)) return undefined
  return Math.min(Math.max(waitMs, 0), RETRY_AFTER_CAP_MS)
}

/** Every form of an HTTP date begins with a weekday; `Date.parse` would accept "1.5", and read asctime as local time. */
function httpDateMs(text: string): number {
  if (!/^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.test(text)) return Number.NaN
  return Date.parse(text.endsWith(' GMT') ? text : `${text} GMT`)
}
