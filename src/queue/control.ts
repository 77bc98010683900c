import type { JobsOptions, Queue } from 'bullmq'
import type { Relay } from '../relay/relay.ts'
import type { JobControl } from '../streams/registry/streams.ts'

/** Jobs added in one statement. */
const BULK = 1_000
/** Instead of a job's own token: puts it back whoever has claimed it. */
const ANY_TOKEN = '0'

/**
 * A stream's job: known by the stream's id, so that there is never a second one; gone when it ends, so that the next
 * one can have the id. It fails only by a fault of Weir's own, and then is tried again.
 */
const STREAM_JOB: JobsOptions = {
  removeOnComplete: true,
  removeOnFail: true,
  attempts: 1_000_000,
  // Not exponential: BullMQ counts the failures of a job's whole life, which here is months.
  backoff: { type: 'fixed', delay: 2_000, jitter: 0.5 },
}

export interface ControlDeps {
  /** The queue of jobs that hold streams. */
  queue: Promise<Queue>
  relay: Relay
  /** Makes this process's workers look at their share. */
  wanted(): void
  /** Makes this process's run of a stream look again. */
  interrupt(streamId: string): void
  /** This process's open pages. */
  pages: { changed(streamIds: Iterable<string>): void; listed(): void }
}

/** Carries what owners want to the workers: through the queue and, for runs that are under way, through the relay. */
export function streamControl({ queue, relay, wanted, interrupt, pages }: ControlDeps): JobControl {
  return {
    async runLater(streamIds) {
      const jobsQueue = await queue
      for (let from = 0; from < streamIds.length; from += BULK) {
        const part = streamIds.slice(from, from + BULK)
        await jobsQueue.addBulk(
          part.map((id) => ({ name: 'hold', data: {}, opts: { ...STREAM_JOB, jobId: id } })),
        )
      }
      wanted()
      relay.publish({ type: 'wanted' })
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
      // One whose job is gone is refused, and gets a new one.
      await Promise.allSettled(streamIds.map((id) => backend.moveJobFromActiveToWait(id, ANY_TOKEN)))
      wanted()
      relay.publish({ type: 'wanted' })
    },
    interrupt(streamIds) {
      for (const id of streamIds) interrupt(id)
      relay.publish({ type: 'interrupt', ids: [...streamIds] })
    },
    changed(streamIds) {
      pages.changed(streamIds)
      relay.publish({ type: 'changed', ids: [...streamIds] })
    },
    listed() {
      pages.listed()
      relay.publish({ type: 'listed' })
    },
  }
}
