import type { Deliverer } from '../src/channels/deliverer.ts'
import { DAY_MS } from '../src/core/time.ts'
import { causeOf } from '../src/errors.ts'
import { faultLog } from '../src/queue/fault-log.ts'
import { ARCHIVE_QUEUE, DELIVERIES_QUEUE, SCHEDULES_QUEUE, STREAMS_QUEUE } from '../src/queue/names.ts'
import type { QueueEngine } from '../src/queue/open.ts'
import type { Runner } from '../src/streams/ingest/runner.ts'
import { leaveWorker, retireWorker } from '../src/streams/status/health.ts'
import { archiveJob } from './archive.ts'
import { deliverJob } from './deliver.ts'
import { type ScheduleDeps, scheduleJob } from './schedules.ts'
import { WorkerShare } from './share.ts'
import { streamJob } from './stream.ts'

/** The job of a lost worker is found once its lock has expired and the next check runs: within 10 s. */
const LOCK = {
  lockDuration: 5_000,
  /** Locks are renewed twice in this time. */
  lockRenewTime: 3_500,
  stalledInterval: 2_000,
  /** How long to wait for a job before polling the queue, in case a notification was lost, in seconds. */
  drainDelay: 1,
  /** BullMQ counts a job's crashes for as long as it lives, and ends it at this count: streams live for months. */
  maxStalledCount: 1_000_000_000,
  /** How long a worker waits before it retries an unreachable queue, in milliseconds. */
  runRetryDelay: 1_000,
}
/**
 * Thousands of endless jobs rely on their worker's one heartbeat. Each has a lock that doesn't expire: it lasts until
 * the job ends, or until another worker finds this one gone and frees it.
 */
const FOR_GOOD = {
  lockDuration: 100 * 365 * DAY_MS,
  skipLockRenewal: true,
  skipStalledCheck: true,
}
/** Deliveries and archive jobs are announced, and schedules find those that were missed: poll rarely. */
const ANNOUNCED = { drainDelay: 5, stalledInterval: 10_000 }
/** How long runs may take to release their streams, in milliseconds. */
const RELEASE_MS = 3_000
/** Concurrent attempts in one process, over all channels; each mostly waits for the network. */
const DELIVERIES_AT_ONCE = 32
/** How long attempts in progress may take to finish when Weir shuts down, in milliseconds. */
const LAST_ATTEMPTS_MS = 1_500
/** BullMQ's message if a released job already belongs to another worker: expected and harmless. */
const EXPECTED_FAULTS =
  /lock mismatch|missing lock|missing key|could not renew lock|is not in the active state|not active/i

export interface WorkersDeps extends ScheduleDeps {
  engine: QueueEngine
  holder: Runner
  worker: string
  streamsPerWorker: number
  deliverer: Deliverer
  /** Called for errors that nobody else reports. */
  warn(message: string): void
}

/** The workers of this process. */
export interface Workers {
  /** Whether all of them accept jobs. */
  areRunning(): boolean
  /** Releases every stream, so that other workers can take them at once. */
  close(): Promise<void>
}

/** Starts taking jobs. */
export async function startWorkers(deps: WorkersDeps): Promise<Workers> {
  const { engine, db, holder, control, worker: name } = deps
  const share = await WorkerShare.begin(deps)
  const streams = engine.worker(STREAMS_QUEUE, streamJob(holder, share), {
    ...LOCK,
    ...FOR_GOOD,
    name,
    concurrency: share.most,
  })
  share.attach(streams)
  const schedules = engine.worker(SCHEDULES_QUEUE, scheduleJob(deps), { ...LOCK, name, concurrency: 2 })
  const deliveries = engine.worker(DELIVERIES_QUEUE, deliverJob(deps.deliverer), {
    ...LOCK,
    ...ANNOUNCED,
    name,
    concurrency: DELIVERIES_AT_ONCE,
  })
  const archiving = engine.worker(ARCHIVE_QUEUE, archiveJob(deps.archive), {
    ...LOCK,
    ...ANNOUNCED,
    name,
    concurrency: 1,
  })
  const all = [streams, schedules, deliveries, archiving]
  const failed = faultLog(deps.warn)
  for (const worker of all) {
    worker.on('error', (error) => {
      if (!EXPECTED_FAULTS.test(error.message)) failed(error)
    })
  }
  deliveries.on('failed', (job, error) => deps.warn(`The delivery ${job?.id} failed: ${causeOf(error)}`))
  archiving.on('failed', (_job, error) => deps.warn(`Archiving failed: ${causeOf(error)}`))
  // Another worker continues it.
  archiving.on('lockRenewalFailed', () => archiving.cancelAllJobs())
  streams.on('failed', (job, error) => deps.warn(`The job of stream ${job?.id} failed: ${causeOf(error)}`))
  return {
    areRunning: () => all.every((worker) => worker.isRunning()),
    async close() {
      share.close()
      // A fetch in progress may still deliver a job; the runner releases it, too.
      holder.close()
      archiving.cancelAllJobs()
      // Other workers may take over its streams from now on. Without this, they would only notice at their next
      // check, every 2 s.
      const retired = retireWorker(db, name, new Date())
        .then(() => control.runLater([]))
        .catch((error) => deps.warn(`Can't announce this worker's shutdown: ${causeOf(error)}`))
      const lastAttempts = setTimeout(() => deps.deliverer.close(), LAST_ATTEMPTS_MS)
      const closed = all.map((worker) => worker.close())
      await Promise.race([Promise.all([retired, ...closed]), Bun.sleep(RELEASE_MS)])
      clearTimeout(lastAttempts)
      await leaveWorker(db, name).catch((error) =>
        deps.warn(`Can't sign this worker off, others notice it by its heartbeat: ${causeOf(error)}`),
      )
    },
  }
}
