import { type Job, WaitingError } from 'bullmq'
import type { Holder } from '../src/streams/ingest/holder.ts'
import type { WorkerShare } from './share.ts'

/** Holds the stream whose id is the job's, for as long as it should run; what is let go of goes to another worker. */
export function streamJob(holder: Holder, share: WorkerShare) {
  // BullMQ hands out the signal only to processors that declare all three parameters.
  return (job: Job, token: string | undefined, signal: AbortSignal | undefined): Promise<void> =>
    share.during(async () => {
      const end = await holder.hold(job.id as string, job.attemptsStarted, signal as AbortSignal)
      if (end === 'finished') return
      await job.moveToWait(token)
      throw new WaitingError()
    })
}
