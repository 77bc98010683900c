import { growingBuckets, Histogram } from './histogram.ts'

/** Relative error of quantiles, from {@link MIN_MS} to {@link MAX_MS}. Buckets grow by the factor that this allows. */
export const RELATIVE_ERROR = 0.05
/** Shorter durations count as this long. */
export const MIN_MS = 0.1
/** Ten minutes: longer durations count as this long. */
export const MAX_MS = 600_000

const GROWTH = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
/** Buckets are numbered from 0 to this, which bounds the histogram. */
export const LAST_BUCKET = Math.ceil(Math.log(MAX_MS / MIN_MS) / Math.log(GROWTH))
const BUCKETS = growingBuckets(MIN_MS, GROWTH, LAST_BUCKET)

/** Durations in milliseconds, 0 or more; quantiles are within {@link RELATIVE_ERROR}. */
export class Latency extends Histogram {
  constructor() {
    super(BUCKETS)
  }

  /** Alternating buckets and counts, for {@link Latency.from}. */
  toArray(): number[] {
    return [...this.counts()].flat()
  }

  /** Reads the result of `toArray`; invalid buckets are ignored. */
  static from(array: readonly number[]): Latency {
    const latency = new Latency()
    for (let at = 0; at + 1 < array.length; at += 2) {
      const [bucket = -1, count = 0] = array.slice(at, at + 2)
      latency.addCount(bucket, count)
    }
    return latency
  }
}
