/** Longest timer that works: beyond 2^31 − 1 ms it would fire at once. */
const MAX_TIMER_MS = 2_147_483_647

/**
 * Waits until a time. A clock that is set back meanwhile doesn't make the wait longer.
 * @param instant milliseconds since the epoch
 * @returns false when the signal aborted first.
 */
export async function waitUntil(instant: number, signal: AbortSignal, now: () => number): Promise<boolean> {
  const endsAt = performance.now() + (instant - now())
  while (!signal.aborted) {
    const leftMs = Math.min(instant - now(), endsAt - performance.now())
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
