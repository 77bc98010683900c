/** A byte stands for a span of times 5.4 % wide, from 1 ms to 11 minutes: what is beyond counts as the last one's. */
const BYTES_PER_E = 19
const LAST_BYTE = 255

/** Median and 95th percentile, in milliseconds. */
export interface Quantiles {
  p50Ms: number
  p95Ms: number
}

/**
 * Milliseconds as the byte they are kept as, in hex. Bytes of different answers are put one behind the other: that adds
 * their distributions up.
 */
export function latencyByte(ms: number): string {
  const byte = Math.min(LAST_BYTE, Math.floor(Math.log(Math.max(ms, 1)) * BYTES_PER_E))
  return byte.toString(16).padStart(2, '0')
}

/** What bytes of {@link latencyByte}, in hex, say: right to 3 %. @returns undefined when there are none */
export function quantilesOf(hex: string): Quantiles | undefined {
  const bytes = Buffer.from(hex, 'hex').sort()
  if (bytes.length === 0) return undefined
  return { p50Ms: at(bytes, 0.5), p95Ms: at(bytes, 0.95) }
}

function at(sorted: Uint8Array, quantile: number): number {
  const byte = sorted[Math.ceil(sorted.length * quantile) - 1] ?? 0
  return Math.round(Math.exp((byte + 0.5) / BYTES_PER_E) * 10) / 10
}
