import type { Database } from '../../storage/storage.ts'
import { type Dropped, type Ends, edgeKey, type Outcome } from '../model.ts'
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
import { minuteOf, type Tally } from './tallies.ts'
import { Waiting } from './waiting.ts'

/** Minutes of edges that wait while the database doesn't answer. At the bound the oldest are never written. */
const MAX_WAITING_MINUTES = 20_000
/** Minutes whose totals are kept to be written: an hour. At the bound the oldest are never written. */
const MAX_WAITING_TOTALS = 60
/** Rows to be deleted. At the bound the row of what was folded stays until it is old. */
const MAX_WAITING_DROPS = 5_000

/** What a program said of a service; nothing of what is left out. */
export type Said = Partial<Pick<ServiceRow, 'name' | 'kind' | 'group' | 'url' | 'colour'>>

interface WaitingMinute extends Ends {
  minute: number
  tally: Tally
}

/**
 * Gathers what is to be stored of the topology, and writes it in batches. Taking something in never waits. Times are
 * in milliseconds since 1970.
 */
export class Ledger {
  readonly #db: Database
  readonly #writer: string
  readonly #services = new Waiting<ServiceRow>(joinServices)
  readonly #calls = new Waiting<CallRow>(joinCalls)
  /** In the order in which they were first added to since they were last written. */
  readonly #minutes = new Map<string, WaitingMinute>()
  readonly #totals = new Map<number, TotalRow>()
  #dropped: Dropped = { services: [], calls: [] }

  /** @param writer This process in this life: whose minutes it writes. */
  constructor(db: Database, writer: string) {
    this.#db = db
    this.#writer = writer
  }

  /** What was said of a service and isn't written yet. */
  unwrittenOf(id: string): Said {
    const { name, kind, group, url, colour } = this.#services.get(id) ?? UNSAID
    const said = Object.entries({ name, kind, group, url, colour })
    return Object.fromEntries(said.filter(([, value]) => value !== null))
  }

  /** What of an edge's sums isn't written yet. */
  uncountedOf(ends: Ends): { count: number; errors: number } {
    return this.#calls.get(edgeKey(ends)) ?? { count: 0, errors: 0 }
  }

  /** A service was heard of. */
  service(id: string, now: number, said: Said = {}): void {
    const isNews = Object.keys(said).length > 0
    this.#services.add(id, { ...UNSAID, ...said, id, firstAt: now, activeAt: now, reportedAt: now }, isNews)
  }

  /** A call was heard of and, where it has an outcome, counted. */
  call({ from, to }: Ends, now: number, outcome?: Outcome): void {
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

  /** A call was added to the edge's tally of a minute. */
  count({ from, to }: Ends, minute: number, tally: Tally, hasFailed: boolean): void {
    this.#minutes.set(`${minute}\n${edgeKey({ from, to })}`, { from, to, minute, tally })
    if (this.#minutes.size > MAX_WAITING_MINUTES) deleteFirst(this.#minutes)
    const total = this.#totals.get(minute) ?? { minute, calls: 0, errors: 0 }
    total.calls++
    if (hasFailed) total.errors++
    this.#totals.set(minute, total)
    if (this.#totals.size > MAX_WAITING_TOTALS) deleteFirst(this.#totals)
  }

  /** What was folded isn't stored, nor is it any longer. */
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
   * Writes what is due. @throws when the database doesn't take it: what wasn't written waits for the next time.
   * @param all Also what only says that something was heard of again.
   */
  async write(now: number, all = false): Promise<void> {
    const { services, calls } = this.#dropped
    this.#dropped = { services: [], calls: [] }
    if (services.length + calls.length > 0) await deleteRows(this.#db, services, calls)
    await this.#services.write(now, all, (rows) => this.#db.transaction((tx) => writeServices(tx, rows)))
    await this.#calls.write(now, all, (rows) => this.#db.transaction((tx) => writeCalls(tx, rows)))
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
    // What was added to meanwhile is written again, as a whole.
    for (const [at, [key, { tally }]] of waiting.entries()) {
      if (tally.count === rows[at]?.count) this.#minutes.delete(key)
    }
  }

  /** The minute under way stays, to be added to. */
  async #writeTotals(now: number): Promise<void> {
    const rows = [...this.#totals.values()].map((total) => ({ ...total }))
    await writeTotals(this.#db, this.#writer, rows)
    for (const { minute, calls } of rows) {
      if (minute < minuteOf(now) && this.#totals.get(minute)?.calls === calls) this.#totals.delete(minute)
    }
  }
}

const UNSAID = { name: null, kind: null, group: null, url: null, colour: null }
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
