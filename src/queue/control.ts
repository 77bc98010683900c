import type { JobsOptions, Queue } from 'bullmq'
import type { Relay } from '../relay/relay.ts'
import type { Control } from '../streams/streams.ts'

/** Jobs added in one statement. */
const BULK = 1_000

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
  queue: Queue
  relay: Relay
  /** Makes this process's workers look at their share. */
  wanted(): void
  /** Makes this process's run of a stream look again. */
  interrupt(streamId: string): void
  /** This process's open pages. */
  pages: { changed(streamIds: Iterable<string>): void; listed(): void }
}

/** Carries what owners want to the workers: through the queue and, for runs that are under way, through the relay. */
export function streamControl({ queue, relay, wanted, interrupt, pages }: ControlDeps): Control {
  return {
    async runLater(streamIds) {
      for (let from = 0; from < streamIds.length; from += BULK) {
        const part = streamIds.slice(from, from + BULK)
        await queue.addBulk(
          part.map((id) => ({ name: 'hold', data: {}, opts: { ...STREAM_JOB, jobId: id } })),
        )
      }
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
