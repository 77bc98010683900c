import type { Deliverer } from '../src/channels/deliverer.ts'
import { causeOf } from '../src/errors.ts'
import { ARCHIVE_QUEUE, DELIVERIES_QUEUE, SCHEDULES_QUEUE, STREAMS_QUEUE } from '../src/queue/names.ts'
import type { QueueEngine } from '../src/queue/open.ts'
import type { Holder } from '../src/streams/ingest/holder.ts'
import { leaveWorker, retireWorker } from '../src/streams/status/health.ts'
import { archiveJob } from './archive.ts'
import { deliverJob } from './deliver.ts'
import { type ScheduleDeps, scheduleJob } from './schedules.ts'
import { WorkerShare } from './share.ts'
import { streamJob } from './stream.ts'

/** A job whose worker is gone is found when its lock has run out and the next check comes: under 10 s together. */
const LOCK = {
  lockDuration: 5_000,
  /** Locks are renewed twice in this time. */
  lockRenewTime: 3_500,
  stalledInterval: 2_000,
  /** Wait for a job before the queue is asked again although nobody announced one, in seconds. */
  drainDelay: 1,
  /** BullMQ never forgets a job's crashes, and the second would end it for good: months need more. */
  maxStalledCount: 1_000_000_000,
  /** Wait before a worker asks again a queue that is away, in milliseconds. */
  runRetryDelay: 1_000,
}
/**
 * Thousands of endless jobs are kept by one sign of life of their worker: each has a lock for good, until it ends, or
 * another worker finds this one gone and frees it.
 */
const FOR_GOOD = {
  lockDuration: 100 * 365 * 24 * 3_600_000,
  skipLockRenewal: true,
  skipStalledCheck: true,
}
/** Deliveries and archives are announced, and found again by schedules should that be lost: seldom asked for else. */
const ANNOUNCED = { drainDelay: 5, stalledInterval: 10_000 }
/** Longest wait for runs to let go, in milliseconds. */
const RELEASE_MS = 3_000
/** Attempts under way in one process, to all channels together; each waits for the network most of its time. */
const DELIVERIES_AT_ONCE = 32
/** Time that attempts under way have to end by themselves when Weir closes, in milliseconds. */
const LAST_ATTEMPTS_MS = 1_500
/** What BullMQ says when a job that was let go of is another worker's already: known, and provided for. */
const EXPECTED_FAULTS =
  /lock mismatch|missing lock|missing key|could not renew lock|is not in the active state|not active/i

export interface WorkersDeps extends ScheduleDeps {
  engine: QueueEngine
  holder: Holder
  worker: string
  streamsPerWorker: number
  deliverer: Deliverer
  /** Told of faults that nobody else hears about. */
  warn(message: string): void
}

/** The workers of this process. */
export interface Workers {
  /** Streams came or went, or should: they look at their share soon. */
  lookSoon(): void
  /** Whether all of them take jobs. */
  areRunning(): boolean
  /** Lets go of every stream, for other workers to take at once. */
  close(): Promise<void>
}

/** Starts to take jobs. */
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
  const deliveries = engine.worker(DELIVERIES_QUEUE, deliverJob(deps), {
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
  for (const worker of all) {
    worker.on('error', (error) => {
      if (!EXPECTED_FAULTS.test(error.message)) deps.warn(error.message)
    })
  }
  deliveries.on('failed', (job, error) => deps.warn(`The delivery ${job?.id} failed: ${causeOf(error)}`))
  archiving.on('failed', (_job, error) => deps.warn(`Archiving failed: ${causeOf(error)}`))
  // Another worker goes on with it.
  archiving.on('lockRenewalFailed', () => archiving.cancelAllJobs())
  streams.on('failed', (job, error) => deps.warn(`The job of stream ${job?.id} failed: ${causeOf(error)}`))
  return {
    lookSoon: () => share.lookSoon(),
    areRunning: () => all.every((worker) => worker.isRunning()),
    async close() {
      share.close()
      // A fetch that is under way may still bring a job: the holder lets go of that one, too.
      holder.close()
      archiving.cancelAllJobs()
      // The others may take its streams from now on; looking every 2 s, they would find that out only then.
      const retired = retireWorker(db, name, new Date())
        .then(() => control.runLater([]))
        .catch((error) => deps.warn(`Other workers don't know yet that this one goes: ${causeOf(error)}`))
      const lastAttempts = setTimeout(() => deps.deliverer.close(), LAST_ATTEMPTS_MS)
      const closed = all.map((worker) => worker.close())
      await Promise.race([Promise.all([retired, ...closed]), Bun.sleep(RELEASE_MS)])
      clearTimeout(lastAttempts)
      await leaveWorker(db, name)
    },
  }
}
