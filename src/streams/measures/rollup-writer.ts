import { inArray } from 'drizzle-orm'
import { checkpoints } from '../../../drizzle/schema.ts'
import type { Database } from '../../storage/storage.ts'
import type { Run } from '../ingest/run.ts'
import type { Entry } from '../recording/entry.ts'
import { owedTallies, storeSums } from '../recording/store-rollups.ts'
import { emptyDelta, tallied } from './rollup-delta.ts'

/**
 * Rollups written per second, most of the time. A stream's entries of a minute share one row, which costs about as
 * much to update as an entry to insert. Many streams take turns: their rollups lag by two seconds per thousand
 * streams.
 */
const MAX_SUMS_PER_SECOND = 500
/** Turns that a fleet without recent activity has in advance. */
const MAX_ALLOWANCE = 1_000

/** The rollups that the runs of this process have yet to write. */
export class RollupWriter {
  /** Runs with entries to roll up, the longest waiting first. */
  readonly #owing = new Set<Run>()
  /** Runs that are ending, or that somebody waits for: they are next. */
  readonly #urgent = new Set<Run>()
  readonly #now: () => number
  #allowance = MAX_ALLOWANCE
  #allowedAt: number

  constructor(now: () => number = Date.now) {
    this.#now = now
    this.#allowedAt = now()
  }

  /** Whether any run is waiting for its turn. */
  get isOwing(): boolean {
    return this.#owing.size > 0
  }

  get isUrgent(): boolean {
    return this.#urgent.size > 0
  }

  /** Whether a run has entries to roll up. A replaced run doesn't: its successor reads them back. */
  owes(run: Run): boolean {
    return run.unsummed.minutes.size > 0 && !run.fenced.signal.aborted
  }

  /** Moves an ending run to the front. */
  hurry(run: Run): void {
    if (this.owes(run)) this.#urgent.add(run)
  }

  /** Forgets a run that has ended: the next one reads back what it hasn't rolled up. */
  forget(run: Run): void {
    this.#owing.delete(run)
    this.#urgent.delete(run)
  }

  /** Adds entries of a run that are now in its log. */
  stored(run: Run, entries: readonly Entry[]): void {
    run.unsummed = tallied(run.unsummed, entries)
    this.#owing.add(run)
  }

  /**
   * Writes the rollups that are due.
   * @returns their runs
   */
  async write(db: Database): Promise<readonly Run[]> {
    const due = this.#due()
    if (due.length === 0) return due
    const owed = due.map((run) => ({ streamId: run.stream.id, epoch: run.epoch, tally: run.unsummed }))
    const written = await storeSums(db, owed)
    this.#allowance -= due.length
    const astray: Run[] = []
    for (const run of due) {
      if (!written.has(run.stream.id)) astray.push(run)
      run.unsummed = emptyDelta(run.unsummed.upTo, run.unsummed.lastAt)
      this.forget(run)
    }
    if (astray.length > 0) await this.#readBack(db, astray)
    return due
  }

  /** The runs that are due: urgent ones, then those waiting longest, within the allowance. */
  #due(): Run[] {
    const now = this.#now()
    const refill = ((now - this.#allowedAt) / 1000) * MAX_SUMS_PER_SECOND
    this.#allowance = Math.min(MAX_ALLOWANCE, Math.max(0, this.#allowance + refill))
    this.#allowedAt = now
    const due = new Set(take(this.#urgent, MAX_ALLOWANCE))
    for (const run of this.#owing) {
      if (due.size >= this.#allowance) break
      due.add(run)
    }
    return [...due]
  }

  /** The reply to a write may have been lost, in which case the rollups already include it. */
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
