/**
 * Caches a value that many open pages request every few seconds.
 * @param forMs how long a value is reused, in milliseconds
 * @param isFinal whether a value is cached at all; failures never are
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

/** Maximum number of cached values; the oldest is evicted first. */
const MAX_READINGS = 100

/**
 * The same with one cached value per key.
 * @param keyOf maps equivalent requests to the same key
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
