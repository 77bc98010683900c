import type { Distribution } from './graph.ts'

/**
 * The value at quantile `u`, so that a uniform `u` samples the distribution.
 *
 * Between the given quantiles, the logarithm of `1 + value` is interpolated linearly (the 1 allows a value of 0).
 * Below p50 it mirrors the range between p50 and p90, but never goes below 0; above p99 it extends as far as p99 is
 * from p90. Three equal quantiles always return their value.
 * @param u from 0 to 1.
 */
export function valueAt({ p50, p90, p99 }: Distribution, u: number): number {
  if (p50 === p99) return p50
  const [middle, high, top] = [Math.log1p(p50), Math.log1p(p90), Math.log1p(p99)]
  const anchors: [number, number][] = [
    [0, Math.max(0, 2 * middle - high)],
    [0.5, middle],
    [0.9, high],
    [0.99, top],
    [1, 2 * top - high],
  ]
  const after = anchors.findIndex(([share]) => u < share)
  const [toShare, to] = anchors[after] ?? [1, 2 * top - high]
  const [fromShare, from] = anchors[after - 1] ?? [0, to]
  if (from === to) return Math.expm1(to)
  return Math.expm1(from + ((to - from) * (u - fromShare)) / (toShare - fromShare))
}

/** A distribution with a single value. */
export function always(value: number): Distribution {
  return { p50: value, p90: value, p99: value }
}
