import { blocksOf, type Group, type Stratum, score, sumOf } from './groups.ts'

/** How much more, or less, the counts vary than those of a Poisson process, and the quantile for an interval of 95%. */
export interface Dispersion {
  phi: number
  quantile: number
}

export interface Dispersed {
  groups: readonly Group[]
  strata: readonly Stratum[]
  /** The rate that all groups have in common, and the mean of the strata's; per millisecond. */
  pooled: number
  perMs: number
  typicalMs: number
}

const Z = 1.96
/** With fewer changes, unchanged polls, or groups, changes are taken as a Poisson process. */
const MIN_CHANGED = 20
const MIN_UNCHANGED = 10
const MIN_GROUPS = 24
const MIN_BLOCKS = 48
const MAX_BLOCKS = 96
/** With fewer blocks, only one wave a window is removed, else two. */
const TWO_WAVES_BLOCKS = 64
/** Blocks per degree of freedom, for a process like Poisson's, and for one whose dispersion was found to differ. */
const ORDINARY = { from: 0.5, to: 1.6, blocks: 3 }
const EXTRAORDINARY_BLOCKS = 8

/**
 * The long-run variance of the scores of blocks of time, without slow waves over the window, relative to that of a Poisson
 * process with the strata's rates: 0 for a clock, 1 for Poisson, more for bursts. Never less than the error of one change.
 */
export function dispersionOf(dispersed: Dispersed): Dispersion {
  const { groups, strata, pooled, perMs, typicalMs } = dispersed
  const { changed, unchangedMs } = sumOf(groups)
  const ms = strata.reduce((sum, stratum) => sum + stratum.ms, 0)
  // Rates that differ between the strata cost precision.
  const informed = strata.filter((stratum) => stratum.perMs > 0)
  const variance = informed.reduce(
    (sum, stratum) => sum + (stratum.ms / ms) ** 2 / information(stratum.groups, stratum.perMs),
    0,
  )
  const spread = strata.length > 1 ? variance * information(groups, pooled) * (pooled / perMs) ** 2 : 1
  const isEnough =
    changed >= MIN_CHANGED && unchangedMs >= MIN_UNCHANGED * typicalMs && groups.length >= MIN_GROUPS
  if (!isEnough) return { phi: spread, quantile: Z }
  const expected = informed.reduce(
    (sum, stratum) =>
      sum +
      information(stratum.groups, stratum.perMs) *
        (found(stratum.perMs, typicalMs) / found(pooled, typicalMs)) ** 2,
    0,
  )
  const { longRun, freedom } = longRunVariance(dispersed, changed)
  const observed = longRun / expected
  const isOrdinary = observed >= ORDINARY.from && observed <= ORDINARY.to
  // A clock's count is off by less than one at either end.
  const one = 1 / found(pooled, typicalMs) ** 2 / 6
  return {
    phi: Math.max(observed, one / expected) * spread,
    quantile: tQuantile(freedom / (isOrdinary ? ORDINARY.blocks : EXTRAORDINARY_BLOCKS)),
  }
}

/** The variance of the sum of the blocks, if only neighbours are correlated. */
function longRunVariance({ groups, pooled }: Dispersed, changed: number) {
  const count = Math.max(MIN_BLOCKS, Math.min(MAX_BLOCKS, groups.length, changed))
  const scores = blocksOf(groups, count).map((block) =>
    block.reduce((sum, group) => sum + score(group, pooled), 0),
  )
  const { rest, fitted } = withoutWaves(scores, scores.length < TWO_WAVES_BLOCKS ? 1 : 2)
  const variance = rest.reduce((sum, value) => sum + value * value, 0)
  const covariance = rest.slice(1).reduce((sum, value, index) => sum + value * (rest[index] ?? 0), 0)
  const longRun = (variance + 2 * covariance) / (1 - (3 * fitted) / scores.length)
  return { longRun, freedom: scores.length - fitted }
}

/** The values without their mean, and without waves that fit into the window once and twice. */
function withoutWaves(values: readonly number[], waves: number) {
  const angle = (index: number) => (2 * Math.PI * (index + 0.5)) / values.length
  const basis = Array.from({ length: waves }, (_, wave) => [
    values.map((_, index) => Math.cos((wave + 1) * angle(index))),
    values.map((_, index) => Math.sin((wave + 1) * angle(index))),
  ]).flat()
  const vectors = [values.map(() => 1), ...basis]
  const weights = vectors.map((vector) => dot(values, vector) / dot(vector, vector))
  const rest = values.map((value, index) =>
    vectors.reduce((left, vector, which) => left - (weights[which] ?? 0) * (vector[index] ?? 0), value),
  )
  return { rest, fitted: vectors.length }
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, index) => sum + value * (b[index] ?? 0), 0)
}

/** Observed Fisher information. */
function information(groups: readonly Group[], perMs: number): number {
  return groups.reduce((sum, { changed, intervalMs }) => {
    const perInterval = perMs * intervalMs
    const each = intervalMs === 0 ? perMs ** -2 : intervalMs ** 2 / (4 * Math.sinh(perInterval / 2) ** 2)
    return sum + changed * each
  }, 0)
}

/** Chance that a poll finds a change, per interval; the rate itself without one. */
function found(perMs: number, intervalMs: number): number {
  return intervalMs === 0 ? perMs : -Math.expm1(-perMs * intervalMs) / intervalMs
}

/** Quantile of Student's t for 95%, by the first terms of its expansion. */
function tQuantile(freedom: number): number {
  return Z * (1 + (Z * Z + 1) / (4 * freedom))
}
