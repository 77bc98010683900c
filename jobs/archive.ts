import type { Job } from 'bullmq'
import type { Archive } from '../src/archive/archive.ts'

/** Archives closed days until all are, or the job is cancelled; the next one goes on with what is left over. */
export function archiveJob(archive: Archive) {
  // BullMQ hands out the signal only to processors that declare all three parameters.
  return (_job: Job, _token: string | undefined, signal: AbortSignal | undefined): Promise<void> =>
    archive.run(signal as AbortSignal)
}
