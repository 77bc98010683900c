import { DAY_MS, HOUR_MS } from '../time.ts'
import { type Dispersion, dispersionOf } from './dispersion.ts'
import { blocksOf, type Comparisons, type Group, groupOf, type Stratum, score, sumOf } from './groups.ts'
import { atLeast, inWords, rarerThan } from './words.ts'

/** How often something changes, per hour, with the 95% interval. */
export interface Frequency {
  /** Changes per hour; null if nearly every poll found one: then only `low` is known. */
  perHour: number | null
  low: number
  /** Null: unknown, see `perHour`. */
  high: number | null
  words: string
}

export interface Estimate extends Frequency {
  /** The most plausible rate, per millisecond, even where only a bound is known. */
  perMs: number
  /** Time between the compared polls, in milliseconds. */
  observedMs: number
}

/** Quantile of the normal distribution for 95%. */
const Z = 1.96
/** Below this share of unchanged time, the interval is too long to say more than a lower bound. */
const SATURATED = 0.05
/** How exactly roots are found, by ratio. */
const EXACT = 1 + 1e-7
/** Parts of the window whose rates are estimated on their own, and polls that each needs. */
const STRATA = 24
const STRATUM_POLLS = 12
/** Rates at the ends of the rank's scale, per millisecond: once a day is 0, once a second 100. */
const RANK_FROM = 1 / DAY_MS
const RANK_TO = 1 / 1_000

/** The part of an estimate that answers show. */
export function frequencyOf(estimate: Estimate | null): Frequency | null {
  if (estimate === null) return null
  const { perHour, low, high, words } = estimate
  return { perHour, low, high, words }
}

/**
 * The rate of a Poisson process that the polls would have found changed as often, from the real times between them; the
 * mean of the rates of up to 24 parts of the time. The interval is that of the profile likelihood, widened or narrowed by
 * the dispersion of blocks of time. `docs/measures.md` has the formulas and their simulated coverage.
 * @param rows in the order of time
 * @returns `null` without a comparison
 * @see Cho, Garcia-Molina, "Estimating frequency of change", ACM TOIT 3(3), 2003
 */
export function estimateRate(rows: readonly Comparisons[]): Estimate | null {
  const groups = rows.filter(({ comparedMs }) => comparedMs > 0).map(groupOf)
  const totals = sumOf(groups)
  if (totals.ms === 0) return null
  if (totals.changed === 0) return never(totals.ms)
  const typicalMs = typicalIntervalOf(groups)
  const pooled = solve(groups, typicalMs / 2)
  if (totals.unchangedMs < SATURATED * totals.ms) return saturated(groups, totals, pooled, typicalMs)
  const strata = stratified(groups, pooled)
  const perMs = strata.length > 1 ? meanRate(strata) : pooled
  const { phi, quantile } = dispersionOf({ groups, strata, pooled, perMs, typicalMs })
  return around(groups, perMs, { phi, quantile })
}

/** Share of the changes that polling at an interval doesn't see, 0 to 1: all but the last between two polls. */
export function missedShare(perMs: number, intervalMs: number): number {
  const perInterval = perMs * intervalMs
  return perInterval === 0 ? 0 : 1 + Math.expm1(-perInterval) / perInterval
}

/** The rate on a logarithmic scale, from once a day (0) or rarer to once a second (100) or more often. */
export function rankOf(perMs: number): number {
  if (perMs <= RANK_FROM) return 0
  const share = Math.log(perMs / RANK_FROM) / Math.log(RANK_TO / RANK_FROM)
  return Math.round(Math.min(1, share) * 1000) / 10
}

/** The same with all groups without a change as one: of those, only their time counts. Roots are found much sooner. */
function condensed(groups: readonly Group[]): readonly Group[] {
  const still = groups.filter(({ changed }) => changed === 0)
  if (still.length < 2) return groups
  return [...groups.filter(({ changed }) => changed > 0), { ...sumOf(still), intervalMs: 0 }]
}

function likelihood(groups: readonly Group[], perMs: number): number {
  return groups.reduce((sum, { changed, intervalMs, unchangedMs }) => {
    const found = intervalMs === 0 ? perMs : -Math.expm1(-perMs * intervalMs)
    return sum + (changed > 0 ? changed * Math.log(found) : 0) - perMs * unchangedMs
  }, 0)
}

/** The rate at which the scores add up to `excess`. Half an interval as `excess` corrects the bias of few polls. */
function solve(groups: readonly Group[], excess: number): number {
  const { changed, ms } = sumOf(groups)
  const few = condensed(groups)
  const isBelow = (perMs: number) => few.reduce((sum, group) => sum + score(group, perMs), 0) > excess
  let low = (changed / ms) * 1e-6
  let high = changed / ms
  while (isBelow(high)) [low, high] = [high, high * 2]
  return halve(low, high, isBelow)
}

/** Where `isBelow` turns false, between two rates. */
function halve(low: number, high: number, isBelow: (perMs: number) => boolean): number {
  let [from, to] = [low, high]
  while (to > from * EXACT) {
    const middle = Math.sqrt(from * to)
    if (isBelow(middle)) from = middle
    else to = middle
  }
  return Math.sqrt(from * to)
}

/** The median of the intervals, by comparisons: one long interruption doesn't move it. */
function typicalIntervalOf(groups: readonly Group[]): number {
  const sorted = groups.filter(({ compared }) => compared > 0).sort((a, b) => a.intervalMs - b.intervalMs)
  let left = sumOf(sorted).compared / 2
  for (const { compared, intervalMs } of sorted) {
    left -= compared
    if (left <= 0) return intervalMs
  }
  return 0
}

/**
 * Parts of the polls. An interval that surely has a change in it, such as an interruption of hours, tells nothing of the rate
 * in it: it belongs to none.
 */
function stratified(groups: readonly Group[], pooled: number): Stratum[] {
  const telling = groups.filter(({ intervalMs }) => Math.exp(-pooled * intervalMs) > SATURATED)
  const count = Math.max(1, Math.min(STRATA, Math.floor(sumOf(telling).compared / STRATUM_POLLS)))
  const isPolled = telling.some(({ changed, intervalMs }) => changed > 0 && intervalMs > 0)
  return blocksOf(telling, count, ({ compared, ms }) => (isPolled ? compared : ms)).map((block) => {
    const { changed, ms } = sumOf(block)
    return { groups: block, ms, perMs: changed === 0 ? 0 : solve(block, typicalIntervalOf(block) / 2) }
  })
}

function meanRate(strata: readonly Stratum[]): number {
  const ms = strata.reduce((sum, stratum) => sum + stratum.ms, 0)
  return strata.reduce((sum, stratum) => sum + stratum.perMs * stratum.ms, 0) / ms
}

/** No change: an upper bound that is exceeded in 5% of cases. */
function never(ms: number): Estimate {
  const perMs = -Math.log(0.05) / ms
  return {
    ...{ perMs: 0, perHour: 0, low: 0, high: perMs * HOUR_MS },
    ...{ words: rarerThan(ms, 1 / perMs), observedMs: ms },
  }
}

/** Nearly every poll found a change: at least those happened. */
function saturated(
  groups: readonly Group[],
  { changed, ms }: { changed: number; ms: number },
  pooled: number,
  typicalMs: number,
): Estimate {
  const low = Math.min(changed / ms, bound(groups, pooled, 0.5, (Z * Z) / 2))
  const perMs = Math.max(low, Math.min(pooled, -Math.log(SATURATED) / typicalMs))
  return {
    ...{ perMs, perHour: null, low: low * HOUR_MS, high: null },
    ...{ words: atLeast(1 / low), observedMs: ms },
  }
}

function around(groups: readonly Group[], perMs: number, { phi, quantile }: Dispersion): Estimate {
  const best = solve(groups, 0)
  const drop = (quantile * quantile * phi) / 2
  const [low, high] = [0.5, 2].map((factor) => (bound(groups, best, factor, drop) / best) * perMs) as [
    number,
    number,
  ]
  const words = inWords(1 / perMs, 1 / high, 1 / low)
  const { ms: observedMs } = sumOf(groups)
  return { perMs, perHour: perMs * HOUR_MS, low: low * HOUR_MS, high: high * HOUR_MS, words, observedMs }
}

/** The rate on one side of the best whose log-likelihood is lower by `drop`. */
function bound(groups: readonly Group[], best: number, factor: number, drop: number): number {
  const few = condensed(groups)
  const least = likelihood(few, best) - drop
  const isInside = (perMs: number) => likelihood(few, perMs) >= least
  let edge = best
  while (isInside(edge)) edge *= factor
  if (factor > 1) return halve(best, edge, isInside)
  return halve(edge, best, (perMs) => !isInside(perMs))
}
