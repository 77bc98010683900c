import { inArray, sql } from 'drizzle-orm'
import { sharedAlarms } from '../../../drizzle/schema.ts'
import { type Alarm, AT_REST, type Evaluation, isAtRest, isOpen, step } from '../../core/judging/alarm.ts'
import {
  egressDownAt,
  evaluateEgress,
  evaluateHost,
  type SharedEvaluation,
  sumOf,
} from '../../core/judging/blame.ts'
import type { Database } from '../../storage/storage.ts'
import type { NewIncident } from './apply.ts'
import type { FailingFleet } from './standing.ts'

export const EGRESS = 'egress'
export const WORKERS = 'workers'
/** Prefix of the key of a host's alarm and incident. */
export const HOST_KEY = 'host:'

/** Evaluations in a row, one every 5 s: a shared cause is notified sooner than a stream that fails alone. */
const THRESHOLDS = { failure: 6, success: 3 }

interface SharedMemory {
  flips?: number[]
  isFlapping?: boolean
  better?: number
}

/** Shared causes that became a problem, or no longer are one. */
export interface SharedSteps {
  opened: NewIncident[]
  /** Keys of incidents to resolve. */
  resolved: string[]
}

/** Evaluates the outbound network first: while it may be down, no host is to blame. */
export async function stepShared(
  tx: Database,
  fleet: FailingFleet,
  isReachable: boolean | undefined,
  now: number,
): Promise<SharedSteps> {
  const steps = new Steps(await load(tx), now)
  const wayOut = steps.of(EGRESS)
  const egress = evaluateEgress(fleet.hosts, isReachable, isOpen(wayOut.alarm), wayOut.better)
  const all = sumOf(fleet.hosts)
  const isOut = steps.take(EGRESS, egress, () => ({
    cause: 'egress',
    title: `Outbound network is down: ${all.failing} of ${all.total} streams failing`,
    detail: reached(isReachable, fleet.hosts.length),
    host: null,
    affected: all.failing,
    since: egressDownAt(fleet.hosts),
  }))
  for (const host of fleet.hosts) {
    const key = HOST_KEY + host.host
    const { alarm, better } = steps.of(key)
    const looked = evaluateHost(host, isOpen(alarm), better)
    const isDoubtful = looked.evaluation === 'bad' && (isOut || steps.isSuspect(EGRESS))
    steps.take(key, isDoubtful ? { evaluation: 'unknown', better } : looked, () => ({
      cause: 'host',
      title: `${host.host}: ${host.failing} of ${host.total} streams failing`,
      detail: `Streams on ${host.host} are failing together; streams on other hosts aren't.`,
      host: host.host,
      affected: host.failing,
      since: host.downAt,
      provenAfter: host.failingAt,
    }))
  }
  const look: Evaluation = fleet.unheld > 0 ? 'bad' : 'good'
  steps.take(WORKERS, { evaluation: look, better: 0 }, () => ({
    cause: 'workers',
    title: `${fleet.unheld} ${fleet.unheld === 1 ? 'stream is' : 'streams are'} waiting for a worker`,
    detail: 'No active worker runs them. Start another worker, or raise STREAMS_PER_WORKER.',
    host: null,
    affected: fleet.unheld,
  }))
  steps.endRest()
  await steps.save(tx)
  return steps
}

type Opening = Pick<NewIncident, 'cause' | 'title' | 'detail' | 'host' | 'affected' | 'provenAfter'> & {
  since?: number
}

class Steps implements SharedSteps {
  readonly opened: NewIncident[] = []
  readonly resolved: string[] = []
  readonly #known: Map<string, { alarm: Alarm; better: number }>
  readonly #left: Set<string>
  readonly #now: number
  readonly #changed = new Map<string, { alarm: Alarm; better: number }>()
  readonly #gone: string[] = []

  constructor(known: Map<string, { alarm: Alarm; better: number }>, now: number) {
    this.#known = known
    this.#left = new Set(known.keys())
    this.#now = now
  }

  of(key: string): { alarm: Alarm; better: number } {
    return this.#changed.get(key) ?? this.#known.get(key) ?? { alarm: AT_REST, better: 0 }
  }

  isSuspect(key: string): boolean {
    const { isFiring, streak } = this.of(key).alarm
    return !isFiring && streak > 0
  }

  /** @returns whether it is a problem now */
  take(key: string, { evaluation: look, better }: SharedEvaluation, opening: () => Opening): boolean {
    this.#left.delete(key)
    const before = this.of(key)
    if (look === 'good' && isAtRest(before.alarm)) return false
    const alarm = step(before.alarm, look, THRESHOLDS, this.#now)
    if (isAtRest(alarm)) {
      if (this.#known.has(key)) this.#gone.push(key)
    } else if (!Bun.deepEquals({ alarm, better }, before)) {
      this.#changed.set(key, { alarm, better })
    }
    if (!isOpen(before.alarm) && isOpen(alarm)) {
      const { since = this.#now, ...opened } = opening()
      this.opened.push({ key, streamId: null, since, ...opened })
    }
    if (isOpen(before.alarm) && !isOpen(alarm)) this.resolved.push(key)
    return isOpen(alarm)
  }

  /** Resolves hosts that no stream runs on any more. */
  endRest(): void {
    for (const key of [...this.#left]) {
      if (isOpen(this.of(key).alarm)) this.resolved.push(key)
      this.#gone.push(key)
    }
  }

  async save(tx: Database): Promise<void> {
    const gone = this.#gone
    if (gone.length > 0) await tx.delete(sharedAlarms).where(inArray(sharedAlarms.key, gone))
    if (this.#changed.size === 0) return
    const seenAt = new Date(this.#now)
    const rows = [...this.#changed].map(([key, { alarm, better }]) => {
      const { isFiring, streak, flips, isFlapping } = alarm
      return { key, isFiring, streak, seenAt, memory: { flips, isFlapping, better } }
    })
    for (let from = 0; from < rows.length; from += ROWS_A_STATEMENT) {
      await tx
        .insert(sharedAlarms)
        .values(rows.slice(from, from + ROWS_A_STATEMENT))
        .onConflictDoUpdate({
          target: sharedAlarms.key,
          set: {
            isFiring: sql`excluded.is_firing`,
            streak: sql`excluded.streak`,
            seenAt: sql`excluded.seen_at`,
            memory: sql`excluded.memory`,
          },
        })
    }
  }
}

/** Postgres takes 65,535 parameters. */
const ROWS_A_STATEMENT = 5_000

async function load(tx: Database): Promise<Map<string, { alarm: Alarm; better: number }>> {
  const rows = await tx.select().from(sharedAlarms)
  return new Map(
    rows.map(({ key, isFiring, streak, memory }) => {
      const { flips = [], isFlapping = false, better = 0 } = (memory ?? {}) as SharedMemory
      return [key, { alarm: { isFiring, streak, flips, isFlapping }, better }]
    }),
  )
}

function reached(isReachable: boolean | undefined, hosts: number): string {
  if (isReachable === false) return "No host in EGRESS_CHECK_HOSTS is reachable from Weir's machine."
  return `All ${hosts} hosts that Weir follows stopped answering at once. Weir's own network is the likely cause.`
}
