/** Longest timer that runs as asked: beyond 2^31 − 1 ms it would fire at once. */
const MAX_TIMER_MS = 2_147_483_647

/**
 * Waits until an instant.
 * @param instant milliseconds since the epoch
 * @returns false when the signal aborted first.
 */
export async function waitUntil(instant: number, signal: AbortSignal, now: () => number): Promise<boolean> {
  while (!signal.aborted) {
    const leftMs = instant - now()
    if (leftMs <= 0) return true
    await new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer)
        signal.removeEventListener('abort', done)
        resolve()
      }
      const timer = setTimeout(done, Math.min(leftMs, MAX_TIMER_MS))
      signal.addEventListener('abort', done)
    })
  }
  return false
}
