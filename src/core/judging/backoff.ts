/** Longest wait of the first retry, in milliseconds; doubles with every further failure. */
export const BACKOFF_BASE_MS = 1_000
/** No retry waits longer than this, in milliseconds, unless the upstream asks for it. */
export const BACKOFF_CAP_MS = 60_000
/** A `Retry-After` beyond this is cut, in milliseconds: a typo upstream must not stop a stream for a year. */
export const RETRY_AFTER_CAP_MS = 3_600_000

/**
 * How long to wait before the next attempt, in milliseconds: full jitter, uniform between 0 and
 * min(cap, base × 2^(failures − 1)).
 * @param failures consecutive failures so far, from 1
 * @param random uniform in [0, 1)
 * @see https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
export function backoffMs(failures: number, random: () => number): number {
  const ceiling = Math.min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** Math.min(failures - 1, 30))
  return Math.round(random() * ceiling)
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

/** Every form of an HTTP date begins with a day; `Date.parse` would take "1.5" for one, and asctime for local time. */
function httpDateMs(text: string): number {
  if (!/^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.test(text)) return Number.NaN
  return Date.parse(text.endsWith(' GMT') ? text : `${text} GMT`)
}
