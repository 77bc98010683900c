import { type SQL, sql } from 'drizzle-orm'

/** A byte stands for a span of times 5.4 % wide, from 1 ms to 11 minutes: what is beyond counts as the last one's. */
const BYTES_PER_E = 19
const LAST_BYTE = 255

/** Median and 95th percentile, in milliseconds. */
export interface Quantiles {
  p50Ms: number
  p95Ms: number
}

/**
 * Milliseconds, of which there must be some, as the byte they are kept as, in SQL. Bytes of different answers are put one
 * behind the other: that adds their distributions up.
 */
export function latencyByte(ms: SQL): SQL {
  return sql`set_byte('\\x00'::bytea, 0,
    least(${LAST_BYTE}::int, floor(ln(greatest(${ms}, 1)) * ${BYTES_PER_E}::int))::int)`
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
