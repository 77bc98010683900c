/** How often a process looks at its own size, in milliseconds. */
const LOOK_EVERY_MS = 1_000
/** It collects garbage once it has grown by so many bytes, and by this part of what the last time left. */
const GROWTH_BYTES = 134_217_728
const GROWTH_PART = 0.25
/** Least time between two such times, in milliseconds: everything waits for one, up to some tenths of a second. */
const REST_MS = 10_000

/** When to collect garbage, by the resident memory of the process. */
export class Growth {
  #leftBytes = 0
  #collectedAt = Number.NEGATIVE_INFINITY

  /** Whether it has grown by so much that it is time, at a moment in milliseconds. */
  isDue(residentBytes: number, now: number): boolean {
    const allowed = Math.max(GROWTH_BYTES, this.#leftBytes * GROWTH_PART)
    return residentBytes > this.#leftBytes + allowed && now >= this.#collectedAt + REST_MS
  }

  /** Garbage was collected, which left so much. */
  collected(residentBytes: number, now: number): void {
    this.#leftBytes = residentBytes
    this.#collectedAt = now
  }
}

/**
 * Keeps a process that has started as small as it can be, until its end. The engine collects all garbage only when its heap
 * has doubled, and counts there what isn't in memory: 64 KiB and more of buffers for every response that is being read,
 * most of them never touched. A process that reads thousands would grow by hundreds of megabytes first.
 */
export function keepSmall(): void {
  const growth = new Growth()
  setInterval(() => {
    if (!growth.isDue(process.memoryUsage.rss(), performance.now())) return
    Bun.gc(true)
    growth.collected(process.memoryUsage.rss(), performance.now())
  }, LOOK_EVERY_MS).unref()
}
