/** How long most tests wait for a condition, in milliseconds: far longer than a loaded machine needs. */
const PATIENCE_MS = 30_000
const LOOK_EVERY_MS = 10

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
  const deadline = Date.now() + patienceMs
  for (;;) {
    const found = await look()
    if (found !== undefined && found !== false) return found
    if (Date.now() > deadline) throw new Error(`Waited in vain until ${what}`)
    await Bun.sleep(LOOK_EVERY_MS)
  }
}
