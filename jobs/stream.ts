import { type Job, WaitingError } from 'bullmq'
import type { Runner } from '../src/streams/ingest/runner.ts'
import type { WorkerShare } from './share.ts'

/** Runs the stream with the job's ID for as long as it should run. A released stream goes to another worker. */
export function streamJob(holder: Runner, share: WorkerShare) {
  // BullMQ passes the signal only to processors that declare all three parameters.
  return (job: Job, token: string | undefined, signal: AbortSignal | undefined): Promise<void> =>
    share.during(async () => {
      const end = await holder.hold(job.id as string, job.attemptsStarted, signal as AbortSignal)
      if (end === 'finished') return
      await job.moveToWait(token)
      throw new WaitingError()
    })
}
