import { DAY_MS, HOUR_MS, MINUTE_MS } from './time.ts'

/** Days before its expiry from which a certificate is a problem, the first first. */
export const CERTIFICATE_DAYS = [21, 7, 1] as const

/**
 * How urgent a certificate is: the fewest of {@link CERTIFICATE_DAYS} that it has left.
 * @returns `undefined` while it is valid for longer
 */
export function certificateUrgency(expiresAt: number, nowMs: number): number | undefined {
  return CERTIFICATE_DAYS.findLast((days) => expiresAt - nowMs <= days * DAY_MS)
}

/** When a certificate expires, in words, such as "in 20 days", "in 5 h" or "2 days ago". */
export function expiryText(expiresAt: number, nowMs: number): string {
  const leftMs = expiresAt - nowMs
  const days = Math.floor(Math.abs(leftMs) / DAY_MS)
  const hours = Math.floor(Math.abs(leftMs) / HOUR_MS)
  const minutes = Math.floor(Math.abs(leftMs) / MINUTE_MS)
  const text = days >= 2 ? `${days} days` : hours >= 1 ? `${hours} h` : `${minutes} min`
  return leftMs > 0 ? `in ${text}` : `${text} ago`
}
