import type { JobsOptions, Queue } from 'bullmq'
import type { Bus } from '../bus/bus.ts'
import { causeOf } from '../errors.ts'
import { Late, within } from '../observe/within.ts'
import { outageOf } from '../storage/errors/outage.ts'
import type { JobControl } from '../streams/registry/streams.ts'

/** Jobs added in one statement. */
const BULK = 1_000
/** Longest wait for a statement, in milliseconds: BullMQ itself waits for as long as Redis is away. */
const ADD_MS = 5_000
/** Used instead of a job's own token: returns the job to the queue whoever has claimed it. */
const ANY_TOKEN = '0'

/**
 * A stream's job: identified by the stream's ID, so that there is never a second one; removed when it ends, so that the
 * next one can have the ID. It fails only because of a bug in Weir, and is then retried.
 */
const STREAM_JOB: JobsOptions = {
  removeOnComplete: true,
  removeOnFail: true,
  attempts: 1_000_000,
  // Not exponential: BullMQ counts the failures of a job's whole life, which here is months.
  backoff: { type: 'fixed', delay: 2_000, jitter: 0.5 },
}

export interface ControlDeps {
  /** The queue of jobs that run streams. */
  queue: Promise<Queue>
  bus: Bus
  warn(message: string): void
}

/** Hands streams to the workers, through the queue; publishes `job.enqueued`. */
export function streamControl({ queue, bus, warn }: ControlDeps): JobControl {
  const addAll = async (streamIds: readonly string[]) => {
    for (let from = 0; from < streamIds.length; from += BULK) {
      const jobs = streamIds
        .slice(from, from + BULK)
        .map((id) => ({ name: 'hold', data: {}, opts: { ...STREAM_JOB, jobId: id } }))
      await within(
        ADD_MS,
        queue.then((opened) => opened.addBulk(jobs)),
      )
    }
  }
  return {
    async runLater(streamIds) {
      try {
        await addAll(streamIds)
      } catch (error) {
        // What is wanted is in the database: it is added once the queue is back.
        if (!(error instanceof Late) && outageOf(error) === undefined) throw error
        warn(`Streams can't be queued yet: ${causeOf(error)}`)
      }
      bus.publish({ type: 'job.enqueued' })
    },
    async claims(isAskedFor) {
      const jobsQueue = await queue
      const active = await jobsQueue.getRanges(['active'], 0, -1)
      const jobs = await Promise.all(active.filter(isAskedFor).map((id) => jobsQueue.getJob(id)))
      return jobs.flatMap((job) =>
        job?.id === undefined ? [] : [{ id: job.id, worker: job.processedBy, at: job.processedOn ?? 0 }],
      )
    },
    async free(streamIds) {
      if (streamIds.length === 0) return
      const { backend } = await queue
      const freed = await Promise.allSettled(
        streamIds.map((id) => backend.moveJobFromActiveToWait(id, ANY_TOKEN)),
      )
      bus.publish({ type: 'job.enqueued' })
      // Refused if the job is gone; then a new one is added. While the queue is away, the caller must try again.
      const failed = freed.find((each) => each.status === 'rejected' && outageOf(each.reason) !== undefined)
      if (failed?.status === 'rejected') throw failed.reason
    },
  }
}
