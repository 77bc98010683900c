import type { Job, Queue } from 'bullmq'
import { judgeAll, reconcile } from '../src/streams/health.ts'
import type { ProxiedStreams } from '../src/streams/proxied.ts'
import type { StatusDeps } from '../src/streams/status.ts'
import type { Control } from '../src/streams/streams.ts'

export type ScheduleDeps = StatusDeps & {
  control: Control
  proxied: ProxiedStreams
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
  /** Verdicts that time alone changes. */
  health: { everyMs: 5_000, run: judgeAll },
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
