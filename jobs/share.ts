import type { Worker } from 'bullmq'
import type { Bus, Subscription } from '../src/bus/bus.ts'
import { causeOf } from '../src/errors.ts'
import type { Database } from '../src/storage/storage.ts'
import type { Runner } from '../src/streams/ingest/runner.ts'
import type { JobControl } from '../src/streams/registry/streams.ts'
import { exchangeHeartbeats, type Sight, WORKER_ALIVE_MS } from '../src/streams/status/health.ts'
import { LostWorkers } from '../src/streams/status/lost-workers.ts'

/** How often a worker sends a heartbeat and checks the others and its share, in milliseconds. */
const CHECK_EVERY_MS = 1_000
/** Delay of an early check, in milliseconds, so that changes that arrive together are checked once. */
const CHECK_SOON_MS = 50
/** A worker may exceed its share by this much before streams move: shares fluctuate all the time. */
const SLACK = 0.1

/** How the streams that should run are spread over the live workers. */
interface Share {
  workers: number
  /** Streams per worker if spread evenly, rounded up. */
  streams: number
}

export interface ShareDeps {
  db: Database
  bus: Bus
  control: Pick<JobControl, 'claims' | 'free'>
  holder: Runner
  worker: string
  streamsPerWorker: number
  warn(message: string): void
}

/**
 * A worker's share of all streams: how many jobs it takes, and how many it releases when others have room. All
 * workers read the same table, so they agree without talking to each other.
 */
export class WorkerShare {
  readonly #deps: ShareDeps
  readonly #lost: LostWorkers
  #share: Share
  #timer: Timer
  readonly #subscription: Subscription
  #worker: Worker | undefined
  #jobs = 0
  #isClosed = false

  static async begin(deps: ShareDeps): Promise<WorkerShare> {
    const now = new Date()
    return new WorkerShare(deps, await exchangeHeartbeats(deps.db, deps.worker, 0, now), now)
  }

  private constructor(deps: ShareDeps, sight: Sight, now: Date) {
    this.#deps = deps
    this.#lost = new LostWorkers(deps)
    this.#share = shareOf(sight, this.#lost.check(sight.signs), now)
    this.#timer = this.#checkIn(CHECK_EVERY_MS)
    this.#subscription = deps.bus.subscribe("The worker's share", {
      'job.enqueued': () => this.#checkSoon(),
      'relay.restored': () => this.#checkSoon(),
    })
  }

  /** How many jobs the worker may have: its share plus some slack, within its limit. */
  get most(): number {
    const { workers, streams } = this.#share
    const { streamsPerWorker, holder } = this.#deps
    // Jobs whose stream runs under a later job hold nothing, but BullMQ counts them.
    const standby = Math.max(0, this.#jobs - holder.size)
    const share = workers === 1 ? streamsPerWorker : streams + Math.ceil(streams * SLACK)
    return Math.max(1, Math.min(streamsPerWorker, share)) + standby
  }

  /** Sets the worker that this share belongs to. */
  attach(worker: Worker): void {
    this.#worker = worker
  }

  /** Counts a job while it runs. */
  async during<T>(job: () => Promise<T>): Promise<T> {
    this.#jobs++
    try {
      return await job()
    } finally {
      this.#jobs--
    }
  }

  close(): void {
    this.#isClosed = true
    this.#subscription.end()
    clearTimeout(this.#timer)
    this.#worker = undefined
  }

  /** Checks the share soon, because streams were added, removed, started or stopped. */
  #checkSoon(): void {
    if (this.#isClosed) return
    clearTimeout(this.#timer)
    this.#timer = this.#checkIn(CHECK_SOON_MS)
  }

  #checkIn(ms: number): Timer {
    return setTimeout(() => {
      this.#timer = this.#checkIn(CHECK_EVERY_MS)
      this.#check().catch((error) => this.#deps.warn(`Can't send this worker's heartbeat: ${causeOf(error)}`))
    }, ms)
  }

  async #check(): Promise<void> {
    const { db, holder, worker } = this.#deps
    const now = new Date()
    const sight = await exchangeHeartbeats(db, worker, holder.size, now)
    const lost = this.#lost.check(sight.signs)
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
 * Makes a worker fetch jobs. A worker at its limit fetches only when a job ends, and these never end; resuming is the
 * only other thing that triggers a fetch. Both calls take effect before their first await: if a worker stayed paused
 * and its last job ended meanwhile, it would stop for good.
 */
async function wake(worker: Worker): Promise<void> {
  await Promise.all([worker.pause(true), worker.resume()])
}
