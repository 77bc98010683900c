import { sql } from 'drizzle-orm'
import { causeOf } from '../errors.ts'
import type { Queue } from '../queue/types.ts'
import { type DamageLog, isDamage, WAY_BACK } from '../storage/errors/damage.ts'
import { OUTAGES, outageOf } from '../storage/errors/outage.ts'
import { schemaOf } from '../storage/migrations.ts'
import type { Database } from '../storage/storage.ts'
import type { Recorder } from '../streams/recording/recorder.ts'
import { Late, within } from './within.ts'

/** A part that takes longer to respond isn't ready, in milliseconds: below the timeouts of load balancers. */
const ANSWER_MS = 2_000

/** What must work in this process for it to receive traffic. */
export const READY_CHECKS = ['process', 'database', 'schema', 'queue', 'workers', 'recording'] as const
export type ReadyCheck = (typeof READY_CHECKS)[number]

export interface ReadinessReport {
  status: 'ready' | 'not_ready'
  /** Only what concerns this process: without workers, neither workers nor queue. */
  checks: { name: ReadyCheck; ok: boolean; detail: string }[]
}

export interface ReadinessDeps {
  db: Database
  /** The last migration that the database must have; those of a newer Weir do no harm. */
  schema: number
  /** Omitted for a process without workers. */
  queue: Promise<Pick<Queue, 'getJobCounts'>> | undefined
  /** Fails if the queue can't be written to; omitted if it is in the database. */
  checkQueue?: (() => Promise<void>) | undefined
  /** What was found damaged in the database. */
  damage?: Pick<DamageLog, 'found'>
  /** Writes what streams receive. Omitted for a process without workers. */
  recorder?: Pick<Recorder, 'failure'> | undefined
}

/** The workers of this process. */
export interface RunningWorkers {
  /** Whether all of them take jobs. */
  areRunning(): boolean
}

/** Whether this process should receive traffic: a live process that can't do its work isn't ready. */
export class Readiness {
  readonly #deps: ReadinessDeps
  #state: 'starting' | 'running' | 'closing' = 'starting'
  #workers: RunningWorkers | undefined

  constructor(deps: ReadinessDeps) {
    this.#deps = deps
  }

  /** The workers have started. */
  workersStarted(workers: RunningWorkers): void {
    this.#workers = workers
  }

  /** Everything has started. */
  started(): void {
    if (this.#state === 'starting') this.#state = 'running'
  }

  /**
   * Marks the process as not ready, before anything is shut down.
   * @returns whether it had started, so that clients may still send requests
   */
  closing(): boolean {
    const wasRunning = this.#state === 'running'
    this.#state = 'closing'
    return wasRunning
  }

  get isClosing(): boolean {
    return this.#state === 'closing'
  }

  /** What is wrong with storing, in sentences for the people who operate Weir. */
  get troubles(): string[] {
    const recording = this.#recording().flatMap(({ ok, detail }) => (ok ? [] : [detail]))
    const damaged = this.#deps.damage?.found.map(
      ({ what }) => `The database is damaged: ${what}. ${WAY_BACK}`,
    )
    return [...recording, ...(damaged ?? [])]
  }

  async report(): Promise<ReadinessReport> {
    const own = this.#process()
    const asked = await Promise.all([this.#storage(), this.#jobs()])
    const checks = [...own, ...asked.flat(), ...this.#recording()]
    return { status: checks.every(({ ok }) => ok) ? 'ready' : 'not_ready', checks }
  }

  #process(): ReadinessReport['checks'] {
    const details = { starting: 'Starting.', running: 'Running.', closing: 'Shutting down.' }
    return [{ name: 'process', ok: this.#state === 'running', detail: details[this.#state] }]
  }

  async #storage(): Promise<ReadinessReport['checks']> {
    const { db, schema } = this.#deps
    try {
      const [last, isReadOnly] = await within(ANSWER_MS, Promise.all([schemaOf(db), readOnly(db)]))
      const isUpToDate = last >= schema
      const detail = isUpToDate ? 'Up to date.' : 'Older than this version of Weir.'
      return [
        { name: 'database', ok: !isReadOnly, detail: isReadOnly ? 'Read-only.' : this.#database() },
        { name: 'schema', ok: isUpToDate, detail },
      ]
    } catch (error) {
      return [failed('database', error)]
    }
  }

  /** A damaged page makes some requests fail; the others are served. */
  #database(): string {
    return (this.#deps.damage?.found.length ?? 0) > 0 ? 'Reachable, but damaged. See the log.' : 'Reachable.'
  }

  #recording(): ReadinessReport['checks'] {
    const { recorder } = this.#deps
    if (recorder === undefined) return []
    const { failure } = recorder
    const detail =
      failure === undefined ? 'Entries are stored.' : `Entries wait in memory: ${whyNot(failure)}`
    return [{ name: 'recording', ok: failure === undefined, detail }]
  }

  async #jobs(): Promise<ReadinessReport['checks']> {
    const { queue, checkQueue } = this.#deps
    if (queue === undefined) return []
    const isRunning = this.#workers?.areRunning() ?? false
    const detail = isRunning ? 'Taking jobs.' : 'Not taking jobs.'
    const workers = { name: 'workers' as const, ok: isRunning, detail }
    try {
      await within(
        ANSWER_MS,
        queue.then((opened): Promise<unknown> => checkQueue?.() ?? opened.getJobCounts('active')),
      )
      return [{ name: 'queue', ok: true, detail: 'Reachable.' }, workers]
    } catch (error) {
      return [failed('queue', error), workers]
    }
  }
}

function whyNot(failure: unknown): string {
  if (isDamage(failure)) return 'the database is damaged. See the log.'
  const outage = outageOf(failure)
  return outage === undefined ? "the database doesn't accept them." : lowerFirst(OUTAGES[outage])
}

function lowerFirst(sentence: string): string {
  return sentence.charAt(0).toLowerCase() + sentence.slice(1)
}

/** Leaves out the database's message, which may name hosts and users: the endpoint needs no authentication. */
function failed(name: ReadyCheck, error: unknown) {
  if (error instanceof Late) return { name, ok: false, detail: `Unreachable: ${causeOf(error)}.` }
  const outage = outageOf(error)
  return { name, ok: false, detail: outage === undefined ? 'Unreachable.' : OUTAGES[outage] }
}

/** Whether nothing can be stored, such as after a failover to a replica. */
async function readOnly(db: Database): Promise<boolean> {
  const { rows } = (await db.execute(
    sql`SELECT current_setting('transaction_read_only') = 'on' AS "isReadOnly"`,
  )) as unknown as { rows: { isReadOnly: boolean }[] }
  return rows[0]?.isReadOnly ?? false
}
