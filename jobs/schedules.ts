import type { Job, Queue } from 'bullmq'
import type { Archive } from '../src/archive/archive.ts'
import { forgetAudit } from '../src/auth/audit.ts'
import { forgetSessions } from '../src/auth/sessions.ts'
import type { Bus } from '../src/bus/bus.ts'
import { forgetDeliveries, reconcileDeliveries } from '../src/channels/deliveries.ts'
import type { DeliveryControl } from '../src/channels/notifier.ts'
import { causeOf } from '../src/errors.ts'
import {
  type EvaluationDeps,
  evaluateIncidents,
  forgetIncidents,
} from '../src/incidents/evaluation/evaluate.ts'
import type { ProxiedStreams } from '../src/proxy/proxied.ts'
import { type RetentionDeps, retain } from '../src/retention/retain.ts'
import { rollUp } from '../src/retention/roll-up.ts'
import { removeStrays } from '../src/streams/registry/strays.ts'
import type { JobControl } from '../src/streams/registry/streams.ts'
import { judgeAll, reconcile } from '../src/streams/status/health.ts'
import { refreshAvailability } from '../src/streams/status/refresh-availability.ts'
import type { StatusDeps } from '../src/streams/status/status.ts'

export type ScheduleDeps = StatusDeps & {
  bus: Bus
  control: JobControl
  deliveryControl: DeliveryControl
  archive: Archive
  incidents: EvaluationDeps
  proxied: ProxiedStreams
  retention: RetentionDeps
  /** How long a proxied stream keeps running after its last subscriber has left, in milliseconds. */
  proxyLingerMs: number
}

interface Schedule {
  /** Time between two runs, in milliseconds. */
  everyMs: number
  run(deps: ScheduleDeps): Promise<unknown>
}

/** Everything that Weir does on a timer. */
export const SCHEDULES: Record<string, Schedule> = {
  /** Adds the missing jobs of streams that should run. */
  reconcile: { everyMs: 5_000, run: (deps) => reconcile(deps.db, deps.control, deps.now()) },
  /** Adds the missing jobs of deliveries that are due. */
  redeliver: {
    everyMs: 5_000,
    run: ({ db, deliveryControl, now }) => reconcileDeliveries(db, deliveryControl, now()),
  },
  /** Deletes old deliveries. */
  forget: { everyMs: 600_000, run: (deps) => forgetDeliveries(deps, deps.now()) },
  /** Adds a job if closed days aren't archived, unless archiving failed recently. */
  archive: { everyMs: 60_000, run: ({ archive }) => archive.runWhenDue() },
  /** Rolls up hours and days, drops what exceeds its limits, and creates the partitions of the next days. */
  retain: {
    everyMs: 60_000,
    run: async ({ retention }) => {
      await rollUp(retention)
      await retain(retention)
    },
  },
  /** Updates statuses that change with time alone. */
  health: { everyMs: 5_000, run: judgeAll },
  /** Calculates the availability that lists show. */
  availability: { everyMs: 60_000, run: refreshAvailability },
  /** Evaluates incidents and sends notifications. */
  incidents: { everyMs: 5_000, run: ({ incidents }) => evaluateIncidents(incidents) },
  /** Deletes old incidents. */
  forgetIncidents: { everyMs: 600_000, run: ({ incidents }) => forgetIncidents(incidents) },
  /** Deletes expired sessions and old audit entries. */
  forgetAccess: {
    everyMs: 600_000,
    run: async ({ db, now, retention }) => {
      await forgetSessions(db, now())
      await forgetAudit(db, now(), retention.bounds.retentionDays)
    },
  },
  /** Removes what is left of removed streams, if a removal was interrupted by an outage. */
  strays: { everyMs: 3_600_000, run: ({ db }) => removeStrays(db) },
  /** Makes proxied streams without subscribers idle. */
  rest: {
    everyMs: 5_000,
    run: ({ proxied, proxyLingerMs, now }) => proxied.rest(new Date(now() - proxyLingerMs)),
  },
}

/** Finished runs that the board shows, per schedule and outcome. */
const KEPT = 20

/** Writes the table into the queue and removes schedules that are no longer in it. */
export async function planSchedules(queue: Queue): Promise<void> {
  const known = await queue.getJobSchedulers()
  for (const { key } of known) if (!(key in SCHEDULES)) await queue.removeJobScheduler(key)
  for (const name of Object.keys(SCHEDULES)) await plan(queue, name)
}

async function plan(queue: Queue, name: string): Promise<void> {
  const { everyMs } = SCHEDULES[name] as Schedule
  const opts = { removeOnComplete: { count: KEPT }, removeOnFail: { count: KEPT } }
  await queue.upsertJobScheduler(name, { every: everyMs }, { name, data: {}, opts })
}

/** How often the schedules in the queue are checked, in milliseconds. */
const CHECK_EVERY_MS = 15_000
/** A schedule that is overdue by this much, in milliseconds, has lost its next job. */
const OVERDUE_MS = 60_000

/**
 * Restores schedules that the queue has lost: Redis was flushed, or it was away when BullMQ wanted to add the next job.
 * @returns their names
 */
export async function restoreSchedules(queue: Queue, now: number): Promise<string[]> {
  const known = new Map((await queue.getJobSchedulers()).map(({ key, next }) => [key, next ?? 0]))
  const lost = Object.entries(SCHEDULES).flatMap(([name, { everyMs }]) =>
    (known.get(name) ?? 0) + everyMs + OVERDUE_MS < now ? name : [],
  )
  for (const name of lost) await plan(queue, name)
  return lost
}

/** Checks them from now on. @returns stops that */
export function keepSchedules(queue: Promise<Queue>, warn: (message: string) => void): () => void {
  const check = async () => {
    const lost = await restoreSchedules(await queue, Date.now())
    if (lost.length > 0) warn(`The queue has lost schedules, which were restored: ${lost.join(', ')}`)
  }
  const timer = setInterval(() => {
    check().catch((error) => warn(`Can't check the schedules: ${causeOf(error)}`))
  }, CHECK_EVERY_MS)
  timer.unref()
  return () => clearInterval(timer)
}

/** Runs the schedule that is due. */
export function scheduleJob(deps: ScheduleDeps) {
  return async (job: Job) => SCHEDULES[job.name]?.run(deps)
}
