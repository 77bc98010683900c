import { growingBuckets, Histogram } from '../../core/histogram.ts'

/** A byte stands for a range of times 5.4% wide, from 1 ms to 11 minutes; longer times count as the last range. */
const GROWTH = Math.E ** (1 / 19)
const LAST_BYTE = 255
const BYTES = growingBuckets(GROWTH, GROWTH, LAST_BYTE)

/** Median and 95th percentile, in milliseconds. */
export interface Quantiles {
  p50Ms: number
  p95Ms: number
}

/** The byte that a time in milliseconds is stored as, in hex. Concatenating bytes adds up their distributions. */
export function latencyByte(ms: number): string {
  return BYTES.of(ms).toString(16).padStart(2, '0')
}

/**
 * Quantiles of bytes from {@link latencyByte}, in hex, accurate to 3%.
 * @returns undefined if there are none
 */
export function quantilesOf(hex: string): Quantiles | undefined {
  const latencies = new Histogram(BYTES)
  for (const byte of Buffer.from(hex, 'hex')) latencies.addCount(byte, 1)
  const [p50, p95] = [latencies.quantile(0.5), latencies.quantile(0.95)]
  return p50 === undefined || p95 === undefined ? undefined : { p50Ms: tenths(p50), p95Ms: tenths(p95) }
}

function tenths(ms: number): number {
  return Math.round(ms * 10) / 10
}
