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

/** Readings remembered of one question, by what was asked; the oldest is forgotten first. */
const MAX_READINGS = 100

/**
 * The same for a question that is asked in several ways: each is read once for all who ask it alike.
 * @param keyOf the same text for what has the same answer
 */
export function sharedBy<Asked, T>(
  read: (asked: Asked) => Promise<T>,
  keyOf: (asked: Asked) => string,
  options: { now(): number; forMs: number },
): (asked: Asked) => Promise<T> {
  const readings = new Map<string, () => Promise<T>>()
  return (asked) => {
    const key = keyOf(asked)
    const reading = readings.get(key) ?? shared(() => read(asked), options)
    readings.delete(key)
    readings.set(key, reading)
    const [oldest] = readings.keys()
    if (readings.size > MAX_READINGS && oldest !== undefined) readings.delete(oldest)
    return reading()
  }
}
