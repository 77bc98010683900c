/** Sums over a stretch of a stream's entries. Bytes, counts; `changed` ≤ `compared`. */
export interface Sums {
  /** Entries of every kind. */
  entries: number
  /** Events received (`sse`), patches and snapshots included. */
  events: number
  /** Requests answered as they should be (`poll`). */
  polls: number
  /** Entries of kind `error`. */
  errors: number
  /** Bodies or events that had a predecessor to be compared with. */
  compared: number
  /** Those that differed from it. */
  changed: number
  /** Bytes received on the wire, before decompression. */
  wireBytes: number
  /** Body bytes after decompression. */
  bodyBytes: number
  /** Bytes of the changes as RFC 6902 patches; a snapshot where that was smaller. No change, no bytes. */
  patchBytes: number
}

/**
 * How often a body differed from the one before: changed / compared, 0 to 1.
 * @returns `null` while nothing was compared.
 */
export function changeRate(sums: Pick<Sums, 'changed' | 'compared'>): number | null {
  return sums.compared === 0 ? null : sums.changed / sums.compared
}

/** 100 × the change rate over the last 24 h, 0 to 100, with the number of comparisons behind it. */
export function streamRank(lastDay: Pick<Sums, 'changed' | 'compared'>): {
  rank: number | null
  samples: number
} {
  const rate = changeRate(lastDay)
  return { rank: rate === null ? null : Math.round(rate * 1000) / 10, samples: lastDay.compared }
}

/** Steps that size and change can be asked in, in milliseconds: from rollups of one minute. */
export const STEPS_MS = {
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
} as const
export type Step = keyof typeof STEPS_MS
