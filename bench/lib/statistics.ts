/**
 * The median.
 * @throws RangeError if there are no values
 */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError('no values')
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] as number
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2
}

/**
 * The smallest value that at least this share of all doesn't exceed.
 * @throws RangeError if there are no values
 */
export function quantile(values: readonly number[], share: number): number {
  if (values.length === 0) throw new RangeError('no values')
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))] as number
}

/** The median with minimum and maximum: `12.3 (11.9–14.0)`. */
export function spread(values: readonly number[], digits = 1): string {
  const [least, most] = [Math.min(...values), Math.max(...values)]
  const text = (value: number) => value.toFixed(digits)
  return values.length === 1 ? text(median(values)) : `${text(median(values))} (${text(least)}–${text(most)})`
}

/** Slope of the regression line, in y per x, with its standard error. */
export function slope(points: readonly { x: number; y: number }[]): { slope: number; error: number } {
  const n = points.length
  const meanX = points.reduce((sum, { x }) => sum + x, 0) / n
  const meanY = points.reduce((sum, { y }) => sum + y, 0) / n
  const xx = points.reduce((sum, { x }) => sum + (x - meanX) ** 2, 0)
  const xy = points.reduce((sum, { x, y }) => sum + (x - meanX) * (y - meanY), 0)
  const fitted = xy / xx
  const residual = points.reduce((sum, { x, y }) => sum + (y - meanY - fitted * (x - meanX)) ** 2, 0)
  return { slope: fitted, error: Math.sqrt(residual / Math.max(1, n - 2) / xx) }
}
