/**
 * Relative error of quantiles, from {@link MIN_MS} to {@link MAX_MS}. Buckets grow by the factor that this allows.
 * @see https://arxiv.org/abs/1908.10693 (DDSketch, section 2.1)
 */
export const RELATIVE_ERROR = 0.05
/** Shorter durations count as this long. */
export const MIN_MS = 0.1
/** Ten minutes: longer durations count as this long. */
export const MAX_MS = 600_000

const GROWTH = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
const LOG_GROWTH = Math.log(GROWTH)
/** Buckets are numbered from 0 to this, which bounds the histogram. */
export const LAST_BUCKET = Math.ceil(Math.log(MAX_MS / MIN_MS) / LOG_GROWTH)

/** Durations, counted in buckets whose bounds grow by a constant factor. Merging two adds their counts. */
export class Latency {
  readonly #counts = new Map<number, number>()
  #size = 0

  /** Number of durations in it. */
  get size(): number {
    return this.#size
  }

  /** Adds a duration in milliseconds, 0 or more. */
  add(durationMs: number): void {
    this.#count(bucketOf(durationMs), 1)
  }

  merge(other: Latency): void {
    for (const [bucket, count] of other.#counts) this.#count(bucket, count)
  }

  /**
   * The quantile `share` (0 to 1) in milliseconds, within {@link RELATIVE_ERROR}; undefined if it is empty.
   */
  quantile(share: number): number | undefined {
    let rank = Math.max(1, Math.ceil(share * this.#size))
    for (const [bucket, count] of [...this.#counts].sort(([a], [b]) => a - b)) {
      rank -= count
      if (rank <= 0) return middleOf(bucket)
    }
    return undefined
  }

  /** Alternating buckets and counts, for {@link Latency.from}. */
  toArray(): number[] {
    return [...this.#counts].flat()
  }

  /** Reads the result of `toArray`; invalid buckets are ignored. */
  static from(array: readonly number[]): Latency {
    const latency = new Latency()
    for (let at = 0; at + 1 < array.length; at += 2) {
      const [bucket = -1, count = 0] = array.slice(at, at + 2)
      if (Number.isInteger(bucket) && bucket >= 0 && bucket <= LAST_BUCKET) latency.#count(bucket, count)
    }
    return latency
  }

  #count(bucket: number, count: number): void {
    this.#counts.set(bucket, (this.#counts.get(bucket) ?? 0) + count)
    this.#size += count
  }
}

/** Bucket n holds durations over `MIN_MS × GROWTH^(n-1)`, up to `MIN_MS × GROWTH^n`. */
function bucketOf(durationMs: number): number {
  const within = Math.min(Math.max(durationMs, MIN_MS), MAX_MS)
  return Math.max(0, Math.ceil(Math.log(within / MIN_MS) / LOG_GROWTH))
}

/** The value at the same relative distance from both bounds of the bucket. */
function middleOf(bucket: number): number {
  return (MIN_MS * 2 * GROWTH ** bucket) / (GROWTH + 1)
}
