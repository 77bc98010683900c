import { DelayedError, type Job } from 'bullmq'
import type { Deliverer } from '../src/channels/deliverer.ts'

/** Makes one attempt at the delivery with the job's ID. A delivery that isn't finished waits for its next attempt. */
export function deliverJob(deliverer: Deliverer) {
  return async (job: Job, token: string | undefined): Promise<void> => {
    const next = await deliverer.attempt(job.id as string)
    if (next === undefined) return
    await job.moveToDelayed(next.getTime(), token)
    throw new DelayedError()
  }
}
