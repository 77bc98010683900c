import type { Job } from 'bullmq'
import type { Archive } from '../src/archive/archive.ts'

/** Archives closed days until none is left or the job is cancelled; the next run continues where this one stopped. */
export function archiveJob(archive: Archive) {
  // BullMQ passes the signal only to processors that declare all three parameters.
  return (_job: Job, _token: string | undefined, signal: AbortSignal | undefined): Promise<void> =>
    archive.run(signal as AbortSignal)
}
