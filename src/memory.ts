/** How often a process checks its own size, in milliseconds. */
const LOOK_EVERY_MS = 1_000
/** Collects garbage after growth by this many bytes, and by this share of what the last collection left. */
const GROWTH_BYTES = 134_217_728
const GROWTH_PART = 0.25
/**
 * Shortest time between two collections, in milliseconds: each pauses the process for up to some tenths of a second.
 */
const REST_MS = 10_000

/** When to collect garbage, by the resident memory of the process. */
export class Growth {
  #leftBytes = 0
  #collectedAt = Number.NEGATIVE_INFINITY

  /** Whether a collection is due, at a time in milliseconds. */
  isDue(residentBytes: number, now: number): boolean {
    const allowed = Math.max(GROWTH_BYTES, this.#leftBytes * GROWTH_PART)
    return residentBytes > this.#leftBytes + allowed && now >= this.#collectedAt + REST_MS
  }

  /** Records what a collection left. */
  collected(residentBytes: number, now: number): void {
    this.#leftBytes = residentBytes
    this.#collectedAt = now
  }
}

/**
 * Keeps a process small from its start to its end. The engine collects all garbage only once its heap has doubled,
 * and counts memory that isn't resident: 64 KiB or more of buffers for every open response, mostly untouched. A
 * process with thousands of them would first grow by hundreds of megabytes.
 */
export function keepSmall(): void {
  const growth = new Growth()
  setInterval(() => {
    if (!growth.isDue(process.memoryUsage.rss(), performance.now())) return
    Bun.gc(true)
    growth.collected(process.memoryUsage.rss(), performance.now())
  }, LOOK_EVERY_MS).unref()
}
