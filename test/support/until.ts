/** How long most tests wait for a condition, in milliseconds: far longer than a loaded machine needs. */
const PATIENCE_MS = 30_000
/**
 * Between two looks, in milliseconds: a tenth of the wait so far, within bounds. A look often asks a Weir in the same
 * process, and would keep it from what it is waited for.
 */
const MIN_PAUSE_MS = 5
const MAX_PAUSE_MS = 100

/**
 * Waits until `look` returns something.
 * @param patienceMs longer for what may take Weir itself a while, such as its longest backoff
 * @returns the first value that is neither undefined nor false
 */
export async function until<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
  patienceMs = PATIENCE_MS,
): Promise<T> {
  const startedAt = performance.now()
  for (;;) {
    const found = await look()
    if (found !== undefined && found !== false) return found
    const waitedMs = performance.now() - startedAt
    if (waitedMs > patienceMs) throw new Error(`Waited in vain until ${what}`)
    await Bun.sleep(Math.min(Math.max(waitedMs / 10, MIN_PAUSE_MS), MAX_PAUSE_MS))
  }
}
