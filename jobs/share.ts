import { causeOf } from '../src/errors.ts'
import type { Database } from '../src/storage/storage.ts'
import { type Share, seeWorker } from '../src/streams/health.ts'
import type { Holder } from '../src/streams/holder.ts'

/** How often a worker says that it lives and looks at its share, in milliseconds. */
const LOOK_EVERY_MS = 2_000
/** At most this often when asked for, in milliseconds. */
const LOOK_SOON_MS = 200
/** A worker takes this much more than its share, and a stream: shares may differ a little before streams move. */
const SLACK = 0.1

export interface ShareDeps {
  db: Database
  holder: Holder
  worker: string
  warn(message: string): void
}

/**
 * A worker's share of all streams: what it may take, and what it lets go of when others have room. Every worker looks
 * at the same table, so they agree without talking.
 */
export class WorkerShare {
  readonly #deps: ShareDeps
  #share: Share
  #timer: Timer

  static async begin(deps: ShareDeps): Promise<WorkerShare> {
    return new WorkerShare(deps, await seeWorker(deps.db, deps.worker, 0, new Date()))
  }

  private constructor(deps: ShareDeps, share: Share) {
    this.#deps = deps
    this.#share = share
    this.#timer = this.#lookIn(LOOK_EVERY_MS)
  }

  /** Whether one more stream is within the share. If not, the share is looked at again soon. */
  hasRoom(): boolean {
    if (this.#deps.holder.size < this.#most()) return true
    clearTimeout(this.#timer)
    this.#timer = this.#lookIn(LOOK_SOON_MS)
    return false
  }

  close(): void {
    clearTimeout(this.#timer)
  }

  #most(): number {
    const { workers, streams } = this.#share
    return workers === 1 ? Number.POSITIVE_INFINITY : Math.ceil(streams * (1 + SLACK)) + 1
  }

  #lookIn(ms: number): Timer {
    return setTimeout(() => {
      this.#timer = this.#lookIn(LOOK_EVERY_MS)
      this.#look().catch((error) => this.#deps.warn(`Can't say that this worker lives: ${causeOf(error)}`))
    }, ms)
  }

  async #look(): Promise<void> {
    const { db, holder, worker } = this.#deps
    this.#share = await seeWorker(db, worker, holder.size, new Date())
    if (holder.size > this.#most()) holder.release(holder.size - this.#share.streams)
  }
}
