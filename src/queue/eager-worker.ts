import { type Job, Worker } from 'bullmq'
import { requestAgain } from './private.ts'

/** Jobs requested together. */
const FETCH_AT_ONCE = 500

/**
 * A worker that requests as many jobs at once as it has room for. BullMQ requests them one by one, and starts none
 * before it has all of them: with thousands of endless jobs, that is most of a takeover.
 */
export class EagerWorker extends Worker {
  /** Fetched, but not handed out yet. */
  readonly #ahead: Job[] = []
  /** Handed out, until they end. */
  readonly #running = new Set<Job>()
  #fetching: Promise<void> | undefined
  #fetches = 0

  override async processJob(...[job, token, fetchNext]: Parameters<Worker['processJob']>) {
    this.#running.add(job)
    try {
      return await super.processJob(job, token, fetchNext)
    } finally {
      this.#running.delete(job)
    }
  }

  /** Returns jobs that were fetched and not started. */
  override close(force?: boolean): Promise<void> {
    const closed = super.close(force)
    this.#giveBack(this.#ahead.splice(0))
    return closed
  }

  protected override async moveToActive(token: string, name?: string): Promise<Job> {
    if (this.#ahead.length === 0) {
      this.#fetching ??= this.#fetch(token, name).finally(() => {
        this.#fetching = undefined
      })
      await this.#fetching
    }
    const job = this.#ahead.shift()
    if (job !== undefined) this.#running.add(job)
    // BullMQ's type omits that there may be none.
    return job as Job
  }

  async #fetch(token: string, name: string | undefined): Promise<void> {
    const first: Job | undefined = await super.moveToActive(token, name)
    if (first === undefined) return
    const fetch = this.#fetches++
    const more = Math.min(FETCH_AT_ONCE, this.concurrency - this.#running.size) - 1
    const others = await Promise.allSettled(
      Array.from({ length: Math.max(0, more) }, (_, index) =>
        super.moveToActive(`${token}:${fetch}:${index}`, name),
      ),
    )
    const fetched = [
      first,
      ...others.map((other) => (other.status === 'fulfilled' ? other.value : undefined)),
    ]
    for (const job of fetched) if (job !== undefined) this.#ahead.push(job)
    // The last of them may have found the queue empty; BullMQ then waits for the next notification.
    requestAgain(this)
    if (this.closing !== undefined) this.#giveBack(this.#ahead.splice(1))
  }

  #giveBack(jobs: readonly Job[]): void {
    for (const job of jobs) job.moveToWait(job.token).catch((error) => this.emit('error', error))
  }
}
