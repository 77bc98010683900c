import type { Worker } from 'bullmq'
import { causeOf } from '../src/errors.ts'
import type { Database } from '../src/storage/storage.ts'
import type { Holder } from '../src/streams/ingest/holder.ts'
import type { JobControl } from '../src/streams/registry/streams.ts'
import { type Sight, seeWorkers, WORKER_ALIVE_MS } from '../src/streams/status/health.ts'
import { LostWorkers } from '../src/streams/status/lost-workers.ts'

/** How often a worker says that it lives and looks at the others and its share, in milliseconds. */
const LOOK_EVERY_MS = 1_000
/** How soon it looks when there is something new, in milliseconds: what comes together is looked at together. */
const LOOK_SOON_MS = 50
/** A worker takes this much more than its share before streams move: shares differ a little all the time. */
const SLACK = 0.1

/** How the streams that should run are spread over the workers that live. */
interface Share {
  workers: number
  /** What each would hold if all were spread evenly, rounded up. */
  streams: number
}

export interface ShareDeps {
  db: Database
  control: Pick<JobControl, 'claims' | 'free'>
  holder: Holder
  worker: string
  streamsPerWorker: number
  warn(message: string): void
}

/**
 * A worker's share of all streams: how many jobs it takes, and how many it lets go of when others have room. Every
 * worker looks at the same table, so they agree without talking.
 */
export class WorkerShare {
  readonly #deps: ShareDeps
  readonly #lost: LostWorkers
  #share: Share
  #timer: Timer
  #worker: Worker | undefined
  #jobs = 0
  #isClosed = false

  static async begin(deps: ShareDeps): Promise<WorkerShare> {
    const now = new Date()
    return new WorkerShare(deps, await seeWorkers(deps.db, deps.worker, 0, now), now)
  }

  private constructor(deps: ShareDeps, sight: Sight, now: Date) {
    this.#deps = deps
    this.#lost = new LostWorkers(deps)
    this.#share = shareOf(sight, this.#lost.look(sight.signs), now)
    this.#timer = this.#lookIn(LOOK_EVERY_MS)
  }

  /** How many jobs the worker may have: its share and a little more, within its bound. */
  get most(): number {
    const { workers, streams } = this.#share
    const { streamsPerWorker, holder } = this.#deps
    // Jobs whose stream goes on under a later one hold nothing, but BullMQ counts them.
    const standby = Math.max(0, this.#jobs - holder.size)
    const share = workers === 1 ? streamsPerWorker : streams + Math.ceil(streams * SLACK)
    return Math.max(1, Math.min(streamsPerWorker, share)) + standby
  }

  /** The worker whose share it is, once there is one. */
  attach(worker: Worker): void {
    this.#worker = worker
  }

  /** Counts a job for as long as it runs. */
  async during<T>(job: () => Promise<T>): Promise<T> {
    this.#jobs++
    try {
      return await job()
    } finally {
      this.#jobs--
    }
  }

  /** Streams came or went, or should: the share is looked at soon. */
  lookSoon(): void {
    if (this.#isClosed) return
    clearTimeout(this.#timer)
    this.#timer = this.#lookIn(LOOK_SOON_MS)
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
    this.#worker = undefined
  }

  #lookIn(ms: number): Timer {
    return setTimeout(() => {
      this.#timer = this.#lookIn(LOOK_EVERY_MS)
      this.#look().catch((error) => this.#deps.warn(`Can't say that this worker lives: ${causeOf(error)}`))
    }, ms)
  }

  async #look(): Promise<void> {
    const { db, holder, worker } = this.#deps
    const now = new Date()
    const sight = await seeWorkers(db, worker, holder.size, now)
    const lost = this.#lost.look(sight.signs)
    this.#share = shareOf(sight, lost, now)
    if (this.#worker === undefined) return
    const { most } = this
    const isMore = most > this.#worker.concurrency
    this.#worker.concurrency = most
    if (isMore && this.#jobs > 0) await wake(this.#worker)
    if (holder.size > most) holder.release(holder.size - this.#share.streams)
    await this.#lost.free(lost)
  }
}

function shareOf({ signs, running }: Sight, lost: ReadonlySet<string>, now: Date): Share {
  const living = signs.filter(
    ({ name, seenAt }) => now.getTime() - seenAt.getTime() < WORKER_ALIVE_MS && !lost.has(name),
  ).length
  const workers = Math.max(1, living)
  return { workers, streams: Math.ceil(running / workers) }
}

/**
 * Has a worker look for jobs. One that had all that it may have looks only when one of them has ended, and these are
 * endless; to resume is the one thing beside that which makes it look. Both calls act before they wait: a worker that
 * is paused for longer, and whose last job ends meanwhile, stops for good.
 */
async function wake(worker: Worker): Promise<void> {
  await Promise.all([worker.pause(true), worker.resume()])
}
