import type { JobsOptions, Queue } from 'bullmq'

/** One job at a time in all processes: known by its name, gone when it ends. */
const ARCHIVE_JOB: JobsOptions = { jobId: 'archive', removeOnComplete: true, removeOnFail: true }

/** Has a worker archive what is closed; while one does so already, nothing happens. */
export function archiveLater(queue: Promise<Queue>): () => Promise<void> {
  return async () => {
    await (await queue).add('archive', {}, ARCHIVE_JOB)
  }
}
