/**
 * What many open pages ask for every few seconds, read once for all of them.
 * @param forMs how long a reading is as good as new, in milliseconds
 * @param isFinal whether a reading is kept at all; one that failed never is
 */
export function shared<T>(
  read: () => Promise<T>,
  { now, forMs, isFinal = () => true }: { now(): number; forMs: number; isFinal?(value: T): boolean },
): () => Promise<T> {
  let last: { at: number; value: Promise<T> } | undefined
  return () => {
    const ageMs = last === undefined ? Number.POSITIVE_INFINITY : now() - last.at
    if (last !== undefined && ageMs >= 0 && ageMs < forMs) return last.value
    const reading = { at: now(), value: read() }
    const forget = () => {
      if (last === reading) last = undefined
    }
    last = reading
    reading.value.then((value) => isFinal(value) || forget(), forget)
    return reading.value
  }
}
