// How long a page waits before it asks a Weir again that didn't answer.

/** The first wait, doubled each time up to the longest, less up to a third so that pages don't come at once. */
export const FIRST_RETRY_MS = 500
const LONGEST_RETRY_MS = 8_000
const JITTER = 1 / 3

/** @param tries that have failed before the last one. @returns milliseconds */
export function retryWait(tries: number): number {
  return Math.min(FIRST_RETRY_MS * 2 ** tries, LONGEST_RETRY_MS) * (1 - Math.random() * JITTER)
}
