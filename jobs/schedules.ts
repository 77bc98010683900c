import type { Job, Queue } from 'bullmq'
import type { Archive } from '../src/archive/archive.ts'
import { forgetAudit } from '../src/auth/audit.ts'
import { forgetSessions } from '../src/auth/sessions.ts'
import { forgetDeliveries, reconcileDeliveries } from '../src/channels/deliveries.ts'
import type { DeliveryControl } from '../src/channels/notifier.ts'
import { forgetIncidents, type LookDeps, lookAround } from '../src/incidents/evaluation/evaluate.ts'
import type { ProxiedStreams } from '../src/proxy/proxied.ts'
import { type RetentionDeps, retain } from '../src/retention/retain.ts'
import { rollUp } from '../src/retention/roll-up.ts'
import type { JobControl } from '../src/streams/registry/streams.ts'
import { judgeAll, reconcile } from '../src/streams/status/health.ts'
import type { StatusDeps } from '../src/streams/status/status.ts'
import type { Subject } from '../src/topics.ts'

export type ScheduleDeps = StatusDeps & {
  control: JobControl
  deliveryControl: DeliveryControl
  archive: Archive
  incidents: LookDeps
  /** Told what open pages may show differently now. */
  touched(subject: Subject): void
  proxied: ProxiedStreams
  retention: RetentionDeps
  /** How long a proxied stream runs on after its last subscriber has left, in milliseconds. */
  proxyLingerMs: number
}

interface Schedule {
  /** Time between two runs, in milliseconds. */
  everyMs: number
  run(deps: ScheduleDeps): Promise<unknown>
}

/** Everything that Weir does by the clock. */
export const SCHEDULES: Record<string, Schedule> = {
  /** Every stream that should run has a job. */
  reconcile: { everyMs: 5_000, run: (deps) => reconcile(deps.db, deps.control, deps.now()) },
  /** Every delivery that is due has a job. */
  redeliver: {
    everyMs: 5_000,
    run: ({ db, deliveryControl, now }) => reconcileDeliveries(db, deliveryControl, now()),
  },
  /** Deliveries that ended long ago. */
  forget: { everyMs: 600_000, run: ({ db, now }) => forgetDeliveries(db, now()) },
  /** Closed days that aren't archived have a job, unless they failed just now. */
  archive: { everyMs: 60_000, run: ({ archive }) => archive.runWhenDue() },
  /** Hours and days are summed up; what is beyond its bounds goes, and the partitions of the next days are made. */
  retain: {
    everyMs: 60_000,
    run: async ({ retention }) => {
      await rollUp(retention)
      await retain(retention)
    },
  },
  /** Verdicts that time alone changes. */
  health: { everyMs: 5_000, run: judgeAll },
  /** What is wrong, and who has to be told. */
  incidents: {
    everyMs: 5_000,
    run: async ({ incidents, touched }) => {
      if ((await lookAround(incidents)) === 'looked') touched('incidents')
    },
  },
  /** Incidents that were over long ago. */
  forgetIncidents: { everyMs: 600_000, run: ({ incidents }) => forgetIncidents(incidents) },
  /** Logins that are over, and what was done longer ago than the log is kept. */
  forgetAccess: {
    everyMs: 600_000,
    run: async ({ db, now, retention }) => {
      await forgetSessions(db, now())
      await forgetAudit(db, now(), retention.bounds.retentionDays)
    },
  },
  /** Proxied streams that nobody subscribes to any more. */
  rest: {
    everyMs: 5_000,
    run: ({ proxied, proxyLingerMs, now }) => proxied.rest(new Date(now() - proxyLingerMs)),
  },
}

/** Finished runs that the board still shows, per schedule and outcome. */
const KEPT = 20

/** Puts the table into the queue; what was scheduled under other names is taken out. */
export async function planSchedules(queue: Queue): Promise<void> {
  const known = await queue.getJobSchedulers()
  for (const { key } of known) if (!(key in SCHEDULES)) await queue.removeJobScheduler(key)
  for (const [name, { everyMs }] of Object.entries(SCHEDULES)) {
    const opts = { removeOnComplete: { count: KEPT }, removeOnFail: { count: KEPT } }
    await queue.upsertJobScheduler(name, { every: everyMs }, { name, data: {}, opts })
  }
}

/** Runs whatever is due. */
export function scheduleJob(deps: ScheduleDeps) {
  return async (job: Job) => SCHEDULES[job.name]?.run(deps)
}
