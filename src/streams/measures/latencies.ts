/** A byte stands for a range of times 5.4% wide, from 1 ms to 11 minutes; longer times count as the last range. */
const BYTES_PER_E = 19
const LAST_BYTE = 255

/** Median and 95th percentile, in milliseconds. */
export interface Quantiles {
  p50Ms: number
  p95Ms: number
}

/** The byte that a time in milliseconds is stored as, in hex. Concatenating bytes adds up their distributions. */
export function latencyByte(ms: number): string {
  const byte = Math.min(LAST_BYTE, Math.floor(Math.log(Math.max(ms, 1)) * BYTES_PER_E))
  return byte.toString(16).padStart(2, '0')
}

/**
 * Quantiles of bytes from {@link latencyByte}, in hex, accurate to 3%.
 * @returns undefined if there are none
 */
export function quantilesOf(hex: string): Quantiles | undefined {
  const bytes = Buffer.from(hex, 'hex').sort()
  if (bytes.length === 0) return undefined
  return { p50Ms: at(bytes, 0.5), p95Ms: at(bytes, 0.95) }
}

function at(sorted: Uint8Array, quantile: number): number {
  const byte = sorted[Math.ceil(sorted.length * quantile) - 1] ?? 0
  return Math.round(Math.exp((byte + 0.5) / BYTES_PER_E) * 10) / 10
}
