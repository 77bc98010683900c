import { transact } from '../../storage/errors/sql-state.ts'
import type { Database } from '../../storage/storage.ts'
import { type Dropped, type Ends, edgeKey, type ReportedOutcome } from '../model.ts'
import {
  type CallRow,
  deleteRows,
  type MinuteRow,
  type ServiceRow,
  type TotalRow,
  writeCalls,
  writeMinutes,
  writeServices,
  writeTotals,
} from './rows.ts'
import { type CallTally, minuteOf } from './tallies.ts'
import { Waiting } from './waiting.ts'

/**
 * Maximum number of minutes of edges that wait while the database is unavailable. At the bound the oldest are
 * dropped.
 */
const MAX_WAITING_MINUTES = 20_000
/** Maximum number of minutes whose totals wait to be written: an hour. At the bound the oldest are dropped. */
const MAX_WAITING_TOTALS = 60
/** Maximum number of rows to delete. At the bound a folded item's row stays until it expires. */
const MAX_WAITING_DROPS = 5_000

/** The reported fields of a service. */
export type ReportedFields = Partial<Pick<ServiceRow, 'name' | 'kind' | 'group' | 'url' | 'color'>>

interface WaitingMinute extends Ends {
  minute: number
  tally: CallTally
}

/**
 * Collects changes of the topology and writes them in batches. Adding to it never waits. Times are
 * in milliseconds since 1970.
 */
export class Ledger {
  readonly #db: Database
  readonly #writer: string
  readonly #services = new Waiting<ServiceRow>(joinServices)
  readonly #calls = new Waiting<CallRow>(joinCalls)
  /** In the order of their first addition since the last write. */
  readonly #minutes = new Map<string, WaitingMinute>()
  readonly #totals = new Map<number, TotalRow>()
  #dropped: Dropped = { services: [], calls: [] }

  /** @param writer ID of this run of the process, whose minutes it writes. */
  constructor(db: Database, writer: string) {
    this.#db = db
    this.#writer = writer
  }

  /** The unwritten report of a service. */
  unwrittenOf(id: string): ReportedFields {
    const { name, kind, group, url, color } = this.#services.get(id) ?? UNSAID
    const said = Object.entries({ name, kind, group, url, color })
    return Object.fromEntries(said.filter(([, value]) => value !== null))
  }

  /** The unwritten sums of an edge. */
  uncountedOf(ends: Ends): { count: number; errors: number } {
    return this.#calls.get(edgeKey(ends)) ?? { count: 0, errors: 0 }
  }

  /** Adds a report of a service. */
  service(id: string, now: number, said: ReportedFields = {}): void {
    const isNews = Object.keys(said).length > 0
    this.#services.add(id, { ...UNSAID, ...said, id, firstAt: now, activeAt: now, reportedAt: now }, isNews)
  }

  /** Adds a call, and counts it if it has an outcome. */
  call({ from, to }: Ends, now: number, outcome?: ReportedOutcome): void {
    const row: CallRow = { ...UNCALLED, from, to, firstAt: now, activeAt: now }
    if (outcome !== undefined) {
      row.count = 1
      row.errors = outcome.hasFailed ? 1 : 0
      row.lastStatus = outcome.status
      row.lastDurationMs = outcome.durationMs ?? null
      row.calledAt = now
    }
    this.#calls.add(edgeKey({ from, to }), row, false)
  }

  /** Adds a call to the edge's tally of a minute. */
  count({ from, to }: Ends, minute: number, tally: CallTally, hasFailed: boolean): void {
    this.#minutes.set(`${minute}\n${edgeKey({ from, to })}`, { from, to, minute, tally })
    if (this.#minutes.size > MAX_WAITING_MINUTES) deleteFirst(this.#minutes)
    const total = this.#totals.get(minute) ?? { minute, calls: 0, errors: 0 }
    total.calls++
    if (hasFailed) total.errors++
    this.#totals.set(minute, total)
    if (this.#totals.size > MAX_WAITING_TOTALS) deleteFirst(this.#totals)
  }

  /** Drops a folded item, and deletes its row. */
  drop({ services, calls }: Dropped): void {
    const keys = new Set(calls.map(edgeKey))
    for (const id of services) this.#services.drop(id)
    for (const key of keys) this.#calls.drop(key)
    if (keys.size > 0) {
      for (const [key, ends] of this.#minutes) if (keys.has(edgeKey(ends))) this.#minutes.delete(key)
    }
    const waiting = this.#dropped
    waiting.services.push(...services.slice(0, MAX_WAITING_DROPS - waiting.services.length))
    waiting.calls.push(...calls.slice(0, MAX_WAITING_DROPS - waiting.calls.length))
  }

  /**
   * Writes what is due. @throws if the database fails: unwritten changes wait for the next time.
   * @param all Also write rows that only update the time of the last report.
   */
  async write(now: number, all = false): Promise<void> {
    const { services, calls } = this.#dropped
    this.#dropped = { services: [], calls: [] }
    if (services.length + calls.length > 0) await deleteRows(this.#db, services, calls)
    await this.#services.write(now, all, (rows) => transact(this.#db, (tx) => writeServices(tx, rows)))
    await this.#calls.write(now, all, (rows) => transact(this.#db, (tx) => writeCalls(tx, rows)))
    await this.#writeMinutes()
    await this.#writeTotals(now)
  }

  async #writeMinutes(): Promise<void> {
    const waiting = [...this.#minutes]
    const rows = waiting.map(([, { tally, ...minute }]): MinuteRow => {
      const { count, errors, latency } = tally
      return { ...minute, count, errors, latency: latency.toArray() }
    })
    await writeMinutes(this.#db, this.#writer, rows)
    // Items that changed meanwhile are written again as a whole.
    for (const [at, [key, { tally }]] of waiting.entries()) {
      if (tally.count === rows[at]?.count) this.#minutes.delete(key)
    }
  }

  /** The current minute stays, as calls are still added to it. */
  async #writeTotals(now: number): Promise<void> {
    const rows = [...this.#totals.values()].map((total) => ({ ...total }))
    await writeTotals(this.#db, this.#writer, rows)
    for (const { minute, calls } of rows) {
      if (minute < minuteOf(now) && this.#totals.get(minute)?.calls === calls) this.#totals.delete(minute)
    }
  }
}

const UNSAID = { name: null, kind: null, group: null, url: null, color: null }
const UNCALLED = { count: 0, errors: 0, lastStatus: null, lastDurationMs: null, calledAt: null }

function joinServices(older: ServiceRow, newer: ServiceRow): ServiceRow {
  const said = Object.entries(newer).filter(([, value]) => value !== null)
  return { ...older, ...Object.fromEntries(said), firstAt: older.firstAt }
}

function joinCalls(older: CallRow, newer: CallRow): CallRow {
  const { count, errors, firstAt } = older
  const later = newer.calledAt === null ? { ...older, activeAt: newer.activeAt } : newer
  return { ...later, count: count + newer.count, errors: errors + newer.errors, firstAt }
}

function deleteFirst(map: Map<unknown, unknown>): void {
  for (const key of map.keys()) return void map.delete(key)
}
