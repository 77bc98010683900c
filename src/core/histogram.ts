/** Buckets: ranges of values, numbered from 0 to `last`. */
export interface Buckets {
  readonly last: number
  /** The bucket that a value is counted in. */
  of(value: number): number
  /** The value that represents a bucket. */
  valueOf(bucket: number): number
}

/** Values, counted in buckets: memory is bounded by the number of buckets. */
export class Histogram {
  readonly #buckets: Buckets
  readonly #counts = new Map<number, number>()
  #size = 0

  constructor(buckets: Buckets) {
    this.#buckets = buckets
  }

  /** Number of values in it. */
  get size(): number {
    return this.#size
  }

  add(value: number): void {
    this.addCount(this.#buckets.of(value), 1)
  }

  /** Adds values by their bucket; buckets that don't exist are ignored. */
  addCount(bucket: number, count: number): void {
    if (!Number.isInteger(bucket) || bucket < 0 || bucket > this.#buckets.last) return
    this.#counts.set(bucket, this.countOf(bucket) + count)
    this.#size += count
  }

  /** @param other a histogram of the same buckets */
  merge(other: Histogram): void {
    for (const [bucket, count] of other.#counts) this.addCount(bucket, count)
  }

  countOf(bucket: number): number {
    return this.#counts.get(bucket) ?? 0
  }

  /** Buckets with values, and how many. */
  counts(): Iterable<[bucket: number, count: number]> {
    return this.#counts.entries()
  }

  /** The quantile `share` (0 to 1), as exact as its bucket; undefined if it is empty. */
  quantile(share: number): number | undefined {
    let rank = Math.max(1, Math.ceil(share * this.#size))
    for (const [bucket, count] of [...this.#counts].sort(([a], [b]) => a - b)) {
      rank -= count
      if (rank <= 0) return this.#buckets.valueOf(bucket)
    }
    return undefined
  }
}

/**
 * Buckets with these upper bounds, inclusive and rising, and one without a bound. A bucket is represented by its
 * upper bound.
 */
export function boundedBuckets(bounds: readonly number[]): Buckets {
  const last = bounds.length
  return {
    last,
    of: (value) => {
      const bucket = bounds.findIndex((bound) => value <= bound)
      return bucket === -1 ? last : bucket
    },
    valueOf: (bucket) => bounds[bucket] ?? Infinity,
  }
}

/**
 * Buckets that grow by a constant factor: bucket n holds values over `first × growth^(n-1)`, up to `first ×
 * growth^n`; values beyond the first and the last count in these, and what is no number in the first. A bucket is represented by the value at the same
 * relative distance from both bounds.
 * @see https://arxiv.org/abs/1908.10693 (DDSketch, section 2.1)
 */
export function growingBuckets(first: number, growth: number, last: number): Buckets {
  const logGrowth = Math.log(growth)
  return {
    last,
    of: (value) => (value > first ? Math.min(last, Math.ceil(Math.log(value / first) / logGrowth)) : 0),
    valueOf: (bucket) => (first * 2 * growth ** bucket) / (growth + 1),
  }
}
