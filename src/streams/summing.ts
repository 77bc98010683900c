import { inArray } from 'drizzle-orm'
import { checkpoints } from '../../drizzle/schema.ts'
import type { Database } from '../storage/storage.ts'
import type { Entry } from './entry.ts'
import type { Run } from './run.ts'
import { owedTallies, storeSums } from './store-sums.ts'
import { emptyTally, type Tally, tallied } from './tally.ts'

/**
 * Sums written in a second, most of the time. A stream's entries of a minute share one row, which costs about as much to
 * update as an entry to insert: many streams take turns, and their sums lag by a second for each thousand of them.
 */
const MAX_SUMS_PER_SECOND = 1_000

/** What a transaction writes of the sums; it holds once that one is committed. */
export interface Summing {
  /** Runs with their tallies as the transaction leaves them. */
  tallies: ReadonlyMap<Run, Tally>
  /** Those that are in the rollups then. */
  written: readonly Run[]
  /** Runs whose sums are not where their tally begins: their entries are to be read back. */
  astray: readonly Run[]
}

/** The sums that the runs of this process owe the rollups. */
export class Sums {
  /** Runs that owe any, the longest waiting first. */
  readonly #owing = new Set<Run>()
  /** Runs that end, or are waited for: their turn is now. */
  readonly #urgent = new Set<Run>()
  readonly #now: () => number
  #allowance = MAX_SUMS_PER_SECOND
  #allowedAt: number

  constructor(now: () => number = Date.now) {
    this.#now = now
    this.#allowedAt = now()
  }

  /** Whether some wait for their turn. */
  get isOwing(): boolean {
    return this.#owing.size > 0
  }

  get isUrgent(): boolean {
    return this.#urgent.size > 0
  }

  /** Whether a run does; one that was replaced doesn't, as its successor reads its entries back. */
  owes(run: Run): boolean {
    return run.unsummed.minutes.size > 0 && !run.fenced.signal.aborted
  }

  /** Gives a run that ends its turn next. */
  hurry(run: Run): void {
    if (this.owes(run)) this.#urgent.add(run)
  }

  /** Forgets a run that has ended: what it still owes is read back by the next one. */
  forget(run: Run): void {
    this.#owing.delete(run)
    this.#urgent.delete(run)
  }

  /**
   * Writes, within a transaction, the sums whose turn it is.
   * @param stored entries that the transaction has stored, by their run
   */
  async write(tx: Database, stored: ReadonlyMap<Run, readonly Entry[]>): Promise<Summing> {
    const tallies = new Map<Run, Tally>()
    for (const [run, entries] of stored) tallies.set(run, tallied(run.unsummed, entries))
    const due = this.#due(tallies.keys())
    if (due.length === 0) return { tallies, written: [], astray: [] }
    const owed = due.map((run) => ({
      streamId: run.stream.id,
      epoch: run.epoch,
      tally: tallies.get(run) ?? run.unsummed,
    }))
    const written = await storeSums(tx, owed)
    return { tallies, written: due, astray: due.filter((run) => !written.has(run.stream.id)) }
  }

  /** What a transaction wrote is committed. */
  async committed(db: Database, { tallies, written, astray }: Summing): Promise<void> {
    for (const [run, tally] of tallies) {
      run.unsummed = tally
      this.#owing.add(run)
    }
    for (const run of written) {
      run.unsummed = emptyTally(run.unsummed.upTo)
      this.forget(run)
    }
    this.#allowance -= written.length
    if (astray.length > 0) await this.#readBack(db, astray)
  }

  /** Whose turn it is: who is in a hurry, then who waits longest, as many as may now. */
  #due(fresh: Iterable<Run>): Run[] {
    const now = this.#now()
    const refill = ((now - this.#allowedAt) / 1000) * MAX_SUMS_PER_SECOND
    this.#allowance = Math.min(MAX_SUMS_PER_SECOND, Math.max(0, this.#allowance + refill))
    this.#allowedAt = now
    const due = new Set(take(this.#urgent, MAX_SUMS_PER_SECOND))
    for (const waiting of [this.#owing, fresh]) {
      for (const run of waiting) {
        if (due.size >= this.#allowance) return [...due]
        due.add(run)
      }
    }
    return [...due]
  }

  /** The answer to a write may have been lost, so that it is in the rollups already. */
  async #readBack(db: Database, runs: readonly Run[]): Promise<void> {
    const ids = runs.map((run) => run.stream.id)
    const rows = await db.select().from(checkpoints).where(inArray(checkpoints.streamId, ids))
    const held = rows.filter((row) => runs.some((run) => isOf(run, row)))
    const tallies = await owedTallies(db, held)
    for (const run of runs.filter((one) => held.some((row) => isOf(one, row)))) {
      run.unsummed = tallies.get(run.stream.id) ?? run.unsummed
      if (run.unsummed.minutes.size > 0) this.#owing.add(run)
    }
  }
}

function isOf(run: Run, { streamId, epoch }: { streamId: string; epoch: number }): boolean {
  return run.stream.id === streamId && run.epoch === epoch
}

function* take<T>(items: Iterable<T>, most: number): Generator<T> {
  let left = most
  for (const item of items) {
    if (left-- === 0) return
    yield item
  }
}
