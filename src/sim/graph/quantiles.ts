import type { Quantiles } from './graph.ts'

/**
 * The value that a share `u` of the distribution is not above, so that an even `u` draws from it.
 *
 * Between the given quantiles the logarithm of `1 + value` grows in a straight line (the 1 lets a value be 0). It
 * goes on below p50 as it mirrors what lies between p50 and p90, but never below 0, and above p99 as far again as
 * p99 is from p90: three equal quantiles always give their value.
 * @param u from 0 to 1.
 */
export function valueAt({ p50, p90, p99 }: Quantiles, u: number): number {
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

/** A distribution of one value. */
export function always(value: number): Quantiles {
  return { p50: value, p90: value, p99: value }
}
