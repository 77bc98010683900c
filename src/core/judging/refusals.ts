import { HOUR_MS, MINUTE_MS } from '../time.ts'

/** What was pushed and refused: counts by minute of the last hour, and the last reason. */
export interface Refusals {
  minutes: (readonly [minute: number, count: number])[]
  last: { reason: string; at: number }
}

/** The same with more, without what is older than an hour. */
export function withRefusals(
  known: Refusals | undefined,
  { count, reason, at }: { count: number; reason: string; at: number },
): Refusals {
  const minute = Math.floor(at / MINUTE_MS) * MINUTE_MS
  const counts = new Map(known?.minutes.filter(([from]) => from > at - HOUR_MS))
  counts.set(minute, (counts.get(minute) ?? 0) + count)
  return { minutes: [...counts], last: { reason, at } }
}

/** How many were refused in the last hour. */
export function refusedLately(known: Refusals | undefined, nowMs: number): number {
  const recent = known?.minutes.filter(([from]) => from > nowMs - HOUR_MS) ?? []
  return recent.reduce((sum, [, count]) => sum + count, 0)
}
