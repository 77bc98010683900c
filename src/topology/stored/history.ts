import { MINUTE_MS } from '../../core/time.ts'
import { causeOf } from '../../errors.ts'
import type { Database } from '../../storage/storage.ts'
import { edgeKey, FORGOTTEN_AFTER_MS, MAX_CALLS, MAX_SERVICES, type Model } from '../model.ts'
import { Ledger } from './ledger.ts'
import { type CallRow, deleteOld, type ServiceRow } from './rows.ts'
import { databaseTime, readCalls, readMinutes, readServices } from './stored.ts'
import { callOf, serviceOfRow, tallyOf } from './stored-graph.ts'
import { recentSpan } from './tallies.ts'

/** Rows dated up to this much earlier are read again, in milliseconds: their transactions may have ended late. */
const OVERLAP_MS = 10_000
/** Minutes are kept this long: a day, plus an hour for readers of its start. */
export const KEPT_MS = 90_000_000
/** A service or call without a report for a day existed until a day ago. */
const HEARD_KEPT_MS = KEPT_MS + FORGOTTEN_AFTER_MS
const TIDY_EVERY_MS = 60_000
/** Maximum number of statements per cleanup: with those of the next minute, more than can be written in one. */
const TIDY_STEPS = 5
/** Longest wait for the last write, in milliseconds. */
const SETTLE_MS = 3_000

export interface HistoryOptions {
  db: Database
  model: Model
  /** ID of this run of the process. */
  writer: string
  now: () => number
  warn(message: string): void
}

/** Keeps the model in sync with the database: writes this process's observations, reads those of others. */
export class History {
  readonly ledger: Ledger
  readonly #options: HistoryOptions
  #syncing: Promise<void> | undefined
  /** Time up to which others' rows were read, by the database's clock. */
  #readUntil: number | undefined
  #tidiedAt = 0
  #isFailing = false

  constructor(options: HistoryOptions) {
    this.#options = options
    this.ledger = new Ledger(options.db, options.writer)
  }

  /** Loads the stored data into the model. */
  async load(): Promise<void> {
    await this.#read()
  }

  /** Writes and reads, one run at a time. Never throws: a failure is retried the next time. */
  sync(): Promise<void> {
    this.#syncing ??= this.#sync().finally(() => {
      this.#syncing = undefined
    })
    return this.#syncing
  }

  async close(): Promise<void> {
    const late = Promise.withResolvers<void>()
    const timer = setTimeout(late.resolve, SETTLE_MS)
    await Promise.race([this.#settle(), late.promise])
    clearTimeout(timer)
  }

  async #settle(): Promise<void> {
    await this.#syncing
    await this.#attempt(() => this.ledger.write(this.#options.now(), true))
  }

  async #sync(): Promise<void> {
    const { now } = this.#options
    await this.#attempt(async () => {
      await this.ledger.write(now())
      await this.#read()
      if (now() < this.#tidiedAt + TIDY_EVERY_MS) return
      this.#tidiedAt = now()
      await this.#tidy()
    })
  }

  async #attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work()
      this.#isFailing = false
    } catch (error) {
      // Logged once, not every few seconds.
      if (!this.#isFailing) this.#options.warn(`Can't store the topology: ${causeOf(error)}`)
      this.#isFailing = true
    }
  }

  async #read(): Promise<void> {
    const { db, model, writer, now } = this.#options
    const readAt = await databaseTime(db)
    const updatedSince = this.#readUntil === undefined ? undefined : this.#readUntil - OVERLAP_MS
    const lived = { from: now() - FORGOTTEN_AFTER_MS, to: now() + MINUTE_MS, updatedSince }
    for (const row of await readServices(db, lived, MAX_SERVICES)) this.#adoptService(row)
    for (const row of await readCalls(db, lived, MAX_CALLS)) this.#adoptCall(row)
    for (const row of await readMinutes(db, { ...recentSpan(now()), updatedSince }, writer)) {
      model.edge(edgeKey(row))?.tallies.put(row.minute, row.writer, tallyOf(row))
    }
    this.#readUntil = readAt
    model.fold(now())
  }

  /** This process's unwritten reports are newer. */
  #adoptService(row: ServiceRow): void {
    const service = serviceOfRow({ ...row, ...this.ledger.unwrittenOf(row.id) })
    this.#options.model.adoptService(service, row.activeAt)
  }

  #adoptCall(row: CallRow): void {
    const { count, errors } = this.ledger.uncountedOf(row)
    const call = { ...callOf(row), count: row.count + count, errors: row.errors + errors }
    this.#options.model.adoptCall(call, row.firstAt, row.activeAt)
  }

  async #tidy(): Promise<void> {
    const { db, now } = this.#options
    for (let step = 0; step < TIDY_STEPS; step++) {
      if (!(await deleteOld(db, now() - KEPT_MS, now() - HEARD_KEPT_MS))) return
    }
  }
}
