/** From when to when, in milliseconds since the epoch. */
export type Span = readonly [from: number, to: number]

/** Something may be stamped this long before Weir, on a loaded machine, reads it or misses it. Milliseconds. */
const STAMP_SLACK_MS = 500
/** A break that a wrong clock times begins, or is told, at most this long before or after. Milliseconds. */
const NEAR_JUMP_MS = 60_000

/** Whether something sent at an instant lies within a gap's times. */
export function isWithin(at: number, [from, to]: Span): boolean {
  return at >= from - STAMP_SLACK_MS && at <= to + STAMP_SLACK_MS
}

/** Whether a clock may have been wrong at any time of a break, which may have been long: then its times may be, too. */
export function isNearJump(jumps: readonly Span[], [begun, ended]: Span): boolean {
  return jumps.some(([from, to]) => from - NEAR_JUMP_MS <= ended && begun <= to + NEAR_JUMP_MS)
}
