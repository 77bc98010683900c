import { hostname } from 'node:os'
import type { Worker } from 'bullmq'
import { SCHEDULES_QUEUE, STREAMS_QUEUE } from '../src/queue/names.ts'
import type { QueueEngine } from '../src/queue/open.ts'
import { leaveWorker, seeWorker } from '../src/streams/health.ts'
import type { Holder } from '../src/streams/holder.ts'
import { type ScheduleDeps, scheduleJob } from './schedules.ts'
import { streamJob } from './stream.ts'

/** A worker that is gone is found after its lock has run out and the next check: under 10 s together. */
const LOCK_MS = 5_000
const STALLED_CHECK_MS = 2_000
/** BullMQ never forgets a job's crashes, and the second would end it for good: months need more. */
const MAX_CRASHES = 1_000_000_000
/** How often a worker says that it lives, in milliseconds. */
const SEEN_EVERY_MS = 2_000
/** Longest wait for runs to let go, in milliseconds. */
const RELEASE_MS = 3_000

export interface WorkersDeps extends ScheduleDeps {
  engine: QueueEngine
  holder: Holder
  worker: string
  streamsPerWorker: number
  /** Told of faults that nobody else hears about. */
  warn(message: string): void
}

/** A name no other worker has, that tells people where it runs. */
export function workerName(): string {
  return `${hostname()}:${process.pid}:${Math.random().toString(36).slice(2, 8)}`
}

/** Starts to take jobs; the returned function lets go of them all. */
export async function startWorkers(deps: WorkersDeps): Promise<() => Promise<void>> {
  const { engine, db, worker: name } = deps
  await seeWorker(db, name, new Date())
  const seen = setInterval(() => {
    seeWorker(db, name, new Date()).catch((error) =>
      deps.warn(`Can't say that this worker lives: ${error.message}`),
    )
  }, SEEN_EVERY_MS)
  const streams = engine.worker(STREAMS_QUEUE, streamJob(deps.holder), {
    name,
    concurrency: deps.streamsPerWorker,
    lockDuration: LOCK_MS,
    stalledInterval: STALLED_CHECK_MS,
    maxStalledCount: MAX_CRASHES,
  })
  const schedules = engine.worker(SCHEDULES_QUEUE, scheduleJob(deps), { name, concurrency: 2 })
  for (const worker of [streams, schedules]) worker.on('error', (error) => deps.warn(error.message))
  streams.on('failed', (job, error) => deps.warn(`The job of stream ${job?.id} failed: ${error.message}`))
  cancelLost(streams)
  return async () => {
    clearInterval(seen)
    streams.cancelAllJobs('shutdown')
    await Promise.race([Promise.all([streams.close(), schedules.close()]), Bun.sleep(RELEASE_MS)])
    await leaveWorker(db, name)
  }
}

/** A job whose lock is lost is another worker's now: going on would be a second run beside that one. */
function cancelLost(worker: Worker): void {
  worker.on('lockRenewalFailed', (jobIds: string[]) => {
    for (const id of jobIds) worker.cancelJob(id, 'lock lost')
  })
}
