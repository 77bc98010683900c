// How long a page waits before it retries a request that failed.

/** First wait, doubled each time up to the longest. Up to a third is taken off, so that pages don't retry all at once. */
export const FIRST_RETRY_MS = 500
const LONGEST_RETRY_MS = 8_000
const JITTER = 1 / 3

/** @param tries failed attempts before the last one. @returns milliseconds */
export function retryWait(tries: number): number {
  return Math.min(FIRST_RETRY_MS * 2 ** tries, LONGEST_RETRY_MS) * (1 - Math.random() * JITTER)
}
