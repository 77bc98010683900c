import { DelayedError, type Job, WaitingError } from 'bullmq'
import type { Holder } from '../src/streams/holder.ts'
import type { WorkerShare } from './share.ts'

/** A job beyond this worker's share comes back after this, in milliseconds, to whoever has room then. */
const PASS_ON_MS = 250

/** Holds the stream whose id is the job's, for as long as it should run; what is let go of goes to another worker. */
export function streamJob(holder: Holder, share: WorkerShare) {
  // BullMQ hands out the signal only to processors that declare all three parameters.
  return async (job: Job, token: string | undefined, signal: AbortSignal | undefined): Promise<void> => {
    const id = job.id as string
    if (!holder.holds(id) && !share.hasRoom()) {
      await job.moveToDelayed(Date.now() + PASS_ON_MS * (1 + Math.random()), token)
      throw new DelayedError()
    }
    const end = await holder.hold(id, job.attemptsStarted, signal as AbortSignal)
    if (end === 'finished') return
    await job.moveToWait(token)
    throw new WaitingError()
  }
}
