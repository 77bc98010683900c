import { doJob, type Job } from './jobs.ts'

/**
 * Runs in its own thread. Each job is answered by messages, the last of which says so; a job that fails unexpectedly
 * ends too, without an answer.
 */
declare const self: Worker

self.onmessage = ({ data: job }: MessageEvent<Job>) => {
  try {
    for (const answer of doJob(job)) self.postMessage({ answer })
    self.postMessage({ isDone: true })
  } catch (error) {
    self.postMessage({ isDone: true, failure: String(error) })
  }
}
