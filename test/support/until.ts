/** Longest most tests wait for something to become true, in milliseconds: far beyond what a loaded machine needs. */
const PATIENCE_MS = 30_000
const LOOK_EVERY_MS = 10

/**
 * Waits until `look` finds something.
 * @param patienceMs longer for what Weir itself may take its time for, such as its longest backoff
 * @returns what it found: the first value that is neither undefined nor false
 */
export async function until<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
  patienceMs = PATIENCE_MS,
): Promise<T> {
  const deadline = Date.now() + patienceMs
  for (;;) {
    const found = await look()
    if (found !== undefined && found !== false) return found
    if (Date.now() > deadline) throw new Error(`Waited in vain until ${what}`)
    await Bun.sleep(LOOK_EVERY_MS)
  }
}
