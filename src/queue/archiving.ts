import type { JobsOptions, Queue } from 'bullmq'

/** One job at a time across all processes: identified by its name, removed when it ends. */
const ARCHIVE_JOB: JobsOptions = { jobId: 'archive', removeOnComplete: true, removeOnFail: true }

/** Makes a worker archive closed days; does nothing while one is doing so. */
export function archiveLater(queue: Promise<Queue>): () => Promise<void> {
  return async () => {
    await (await queue).add('archive', {}, ARCHIVE_JOB)
  }
}
