import type { Job } from 'bullmq'
import type { Holder } from '../src/streams/holder.ts'

/** Holds the stream whose id is the job's, for as long as it should run. */
export function streamJob(holder: Holder) {
  // BullMQ hands out the signal only to processors that declare all three parameters.
  return (job: Job, _token: string | undefined, signal: AbortSignal | undefined) =>
    holder.hold(job.id as string, job.attemptsStarted, signal as AbortSignal)
}
