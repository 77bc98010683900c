/** How often a process notes that it runs, in milliseconds. */
const BEAT_MS = 100
/** A process that notes it within this time, in milliseconds, reads what arrives at once. */
const AT_ONCE_MS = 3 * BEAT_MS

/**
 * Knows for how long this process may not have looked at its connections: it was frozen, or starved of processor time.
 * What it reads then may have arrived any time since.
 */
export class Pulse {
  readonly #timer: Timer
  #last = performance.now()
  #before = this.#last

  constructor() {
    this.#timer = setInterval(() => {
      this.#before = this.#last
      this.#last = performance.now()
    }, BEAT_MS)
    this.#timer.unref()
  }

  /**
   * How long what is read now may have been waiting, in milliseconds. Counted from the beat before the last, because
   * after a pause timers fire before connections are read.
   */
  get lagMs(): number {
    const lagMs = performance.now() - this.#before
    return lagMs < AT_ONCE_MS ? 0 : lagMs
  }

  close(): void {
    clearInterval(this.#timer)
  }
}
