import type { LoggedEntry } from '../../support/weir.ts'
import type { Span } from './spans.ts'

/** A fault as it happened. Times in milliseconds since the epoch. */
export interface Injected {
  name: string
  from: number
  /** When what was away was back, or told to be; later than everything while it lasts. */
  to: number
  /** Whether it sets a clock of Weir's wrong. */
  isJump?: boolean
}

/** An entry may be stamped this long after the fault before it, in milliseconds. */
const LATE_MS = 1_500
/** Faults after which another process must go on with the streams. */
const HANDS_OVER = /^(worker|Weir) (kill|SIGTERM|frozen (beyond|for))/
/** Faults that hold up whoever takes over, or set its clock wrong, so that the wait says nothing of the takeover. */
const HOLDS_UP = /^(Postgres|Redis|all of Weir|.* clock|upstream (kill|frozen|stalls|half|answers|holds))/

export function jumps(injected: readonly Injected[]): Span[] {
  return injected.filter(({ isJump }) => isJump).map(({ from, to }) => [from, to] as const)
}

/**
 * The longest time from a fault to the first entry of the run that took over, by fault, in milliseconds. Takeovers
 * during which something else was down are left out.
 */
export function takeovers(log: readonly LoggedEntry[], injected: readonly Injected[]): Map<string, number> {
  const longest = new Map<string, number>()
  for (const [index, entry] of log.entries()) {
    const before = log[index - 1]
    if (before === undefined || before.epoch === entry.epoch) continue
    const [lastAt, nextAt] = [Date.parse(before.at), Date.parse(entry.at)]
    const during = injected.filter(({ from, to }) => from < nextAt && to > lastAt)
    const cause = injected.findLast(
      ({ name, from }) => HANDS_OVER.test(name) && from <= nextAt && from >= lastAt - LATE_MS,
    )
    if (cause === undefined || during.some(({ name }) => HOLDS_UP.test(name))) continue
    const others = during.filter(({ name }) => HANDS_OVER.test(name))
    if (others.length > 1) continue
    longest.set(cause.name, Math.max(longest.get(cause.name) ?? 0, nextAt - cause.from))
  }
  return longest
}
