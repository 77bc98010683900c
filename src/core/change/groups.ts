/**
 * Comparisons in a part of the time, in which intervals between polls are about equal. `changedMs` ≤ `comparedMs`: the sum
 * of the intervals after which something had changed. It is 0 if every change is seen when it happens, as in an event
 * stream; `comparedMs` is the observed time then.
 */
export interface Comparisons {
  compared: number
  changed: number
  comparedMs: number
  changedMs: number
}

/** {@link Comparisons} as the likelihood needs them. */
export interface Group {
  changed: number
  compared: number
  /** Mean interval after which something had changed. */
  intervalMs: number
  unchangedMs: number
  ms: number
}

/** Parts of the time with their own rate. */
export interface Stratum {
  groups: readonly Group[]
  perMs: number
  ms: number
}

export function groupOf({ compared, changed, comparedMs, changedMs }: Comparisons): Group {
  const intervalMs = changed > 0 ? changedMs / changed : comparedMs / Math.max(1, compared)
  return { changed, compared, intervalMs, unchangedMs: comparedMs - changedMs, ms: comparedMs }
}

export function sumOf(groups: readonly Group[]) {
  const sums = { changed: 0, compared: 0, unchangedMs: 0, ms: 0 }
  for (const group of groups) {
    sums.changed += group.changed
    sums.compared += group.compared
    sums.unchangedMs += group.unchangedMs
    sums.ms += group.ms
  }
  return sums
}

/** Derivative of the group's log-likelihood. */
export function score({ changed, intervalMs, unchangedMs }: Group, perMs: number): number {
  if (changed === 0) return -unchangedMs
  const waited = intervalMs === 0 ? 1 / perMs : intervalMs / Math.expm1(perMs * intervalMs)
  return changed * waited - unchangedMs
}

/** Consecutive groups in up to `count` blocks of about equal weight: by default, of equal time. */
export function blocksOf(
  groups: readonly Group[],
  count: number,
  weightOf: (group: Group) => number = ({ ms }) => ms,
): Group[][] {
  const whole = groups.reduce((sum, group) => sum + weightOf(group), 0)
  const blocks: Group[][] = []
  let passed = 0
  let last = -1
  for (const group of groups) {
    const weight = weightOf(group)
    const index = Math.min(count - 1, Math.floor(((passed + weight / 2) / whole) * count))
    if (index !== last) blocks.push([])
    last = index
    blocks.at(-1)?.push(group)
    passed += weight
  }
  return blocks
}
