/** What makes a stream degraded: too many of its checks fail, but not all. */
export interface DegradedLimits {
  /** The share of failed checks above which it is degraded, from 0 to 1. Default: 0.2. */
  degradedShare?: number
  /** The time over which checks are counted, in milliseconds. Default: ten minutes. */
  degradedWindowMs?: number
  /** Fewer checks than this within the window say nothing. Default: 5. */
  degradedChecks?: number
}

export const DEGRADED_SHARE = 0.2
export const DEGRADED_WINDOW_MS = 600_000
export const DEGRADED_CHECKS = 5

/**
 * Checks of about a minute. `at`: the first of them, milliseconds since the epoch. `starts`: how many failures followed a
 * success. `failedAfterMs`: from `at` to the first failure. An array, because it is stored with every stream's evidence.
 */
type Slot = [at: number, good: number, bad: number, starts: number, failedAfterMs: number]

/** Outcomes of the last checks, oldest first. A check is a poll, or an attempt to connect; a connection that fails is another. */
export type Checks = readonly Slot[]

/** Length of a slot, in milliseconds. */
const SLOT_MS = 60_000
/** The longest window, in milliseconds; with the length of a slot, it bounds their number. */
export const MAX_DEGRADED_WINDOW_MS = 3_600_000
const MAX_SLOTS = MAX_DEGRADED_WINDOW_MS / SLOT_MS
/** A single run of failures is an outage, which is a matter of `backing-off` and `dead`. */
const MIN_STARTS = 2
/** It stays degraded until the share has fallen to this part of the limit, so that it doesn't flicker around it. */
const CALM_PART = 0.5

/** @param outcome `failed`: the first failure after a success; `failed again`: any further one */
export function withCheck(
  checks: Checks = [],
  outcome: 'passed' | 'failed' | 'failed again',
  at: number,
): Checks {
  const known = checks.filter((slot) => slot[0] <= at && slot[0] > at - MAX_DEGRADED_WINDOW_MS)
  const last = known.at(-1)
  const isNew = last === undefined || at - last[0] >= SLOT_MS
  const [from, good, bad, starts, failedAfterMs]: Slot = isNew ? [at, 0, 0, 0, 0] : last
  const isBad = outcome !== 'passed'
  const slot: Slot = [
    from,
    isBad ? good : good + 1,
    isBad ? bad + 1 : bad,
    outcome === 'failed' ? starts + 1 : starts,
    isBad && bad === 0 ? at - from : failedAfterMs,
  ]
  return [...(isNew ? known : known.slice(0, -1)), slot].slice(-MAX_SLOTS)
}

/** The checks within a window. */
export function checksWithin(
  checks: Checks | undefined,
  { degradedWindowMs = DEGRADED_WINDOW_MS }: DegradedLimits,
  nowMs: number,
): Checks | undefined {
  return checks?.filter((slot) => slot[0] > nowMs - degradedWindowMs)
}

interface Checked {
  checks?: Checks
  degradedSince?: number
  lastError?: { code: string; at: number; httpStatus?: number; body?: string }
}

/** Whether a stream is degraded, why, and since when; `undefined` if it isn't. */
export function degradation(
  { checks, degradedSince, lastError }: Checked,
  limits: DegradedLimits,
  nowMs: number,
): { reason: string; since: number } | undefined {
  const { degradedShare = DEGRADED_SHARE, degradedChecks = DEGRADED_CHECKS } = limits
  const recent = checksWithin(checks, limits, nowMs) ?? []
  const first = recent.find((slot) => slot[2] > 0)
  if (first === undefined) return undefined
  const [good, bad, starts] = ([1, 2, 3] as const).map((index) =>
    recent.reduce((sum, slot) => sum + slot[index], 0),
  ) as [number, number, number]
  const count = good + bad
  const isDegraded =
    degradedSince === undefined
      ? count >= degradedChecks && starts >= MIN_STARTS && bad / count > degradedShare
      : starts > 0 && bad / count > degradedShare * CALM_PART
  if (!isDegraded) return undefined
  const since = Math.min(degradedSince ?? first[0] + first[4], nowMs)
  const minutes = Math.max(1, Math.round((nowMs - (recent[0] as Slot)[0]) / 60_000))
  const share = `${Math.round((100 * bad) / count)}% errors (${bad} of ${count} in ${minutes} min)`
  return { reason: share + lastErrorOf(lastError), since }
}

/** In UTC, because the reason is stored, and read everywhere. */
function lastErrorOf(error: Checked['lastError']): string {
  if (error === undefined) return '.'
  const what = error.httpStatus ?? error.code.replaceAll('_', ' ')
  const said = error.body === undefined ? '.' : `: ${error.body}`
  return `, last: ${what} at ${new Date(error.at).toISOString().slice(11, 16)} UTC${said}`
}
