import type { StoredEvent } from '../../log/logs.ts'
import type { FollowDeps } from '../follow.ts'
import type { Run } from '../run.ts'

/** Entries searched in one query. */
const SLICE = 10_000
/** How far back to search if the upstream hasn't replayed any events yet, in entries: once per stream. */
const FIRST_DEPTH = 1_000_000

type Deps = Pick<FollowDeps, 'storedEvents'>
type Found = Map<string, StoredEvent>

/**
 * Finds events in the log that an upstream sends again after a break, however many there are. They arrive in the
 * order of the log: the search for the first one goes backward from the end, for every later one forward from the
 * last match.
 */
export class ReplaySearch {
  readonly #run: Run
  readonly #deps: Deps
  /** The entry of the last event that was found on this connection. */
  #foundSeq: number | undefined

  constructor(run: Run, deps: Deps) {
    this.#run = run
    this.#deps = deps
  }

  /**
   * Returns which of these event IDs are in the log. All entries appended so far must be stored. However long the database
   * takes, the search isn't given up: what it didn't find would be stored twice.
   */
  async find(ids: readonly string[]): Promise<Found> {
    const found: Found = new Map()
    const last = this.#run.checkpoint.seq
    for (const [after, until] of this.#slices(last)) {
      const missing = ids.filter((id) => !found.has(id))
      if (missing.length === 0) break
      const some = await this.#deps.storedEvents(this.#run.stream.id, missing, { after, until })
      for (const [id, event] of some) found.set(id, event)
    }
    const seqs = [...found.values()].map(({ seq }) => seq)
    this.#learnDepth(last, seqs)
    if (seqs.length > 0) this.#foundSeq = Math.max(...seqs)
    return found
  }

  *#slices(last: number): Generator<[after: number, until: number]> {
    if (this.#foundSeq !== undefined) {
      for (let after = this.#foundSeq; after < last; after += SLICE) yield [after, after + SLICE]
      return
    }
    const floor = Math.max(0, last - this.#depth())
    for (let until = last; until > floor; until -= SLICE) yield [Math.max(floor, until - SLICE), until]
  }

  /** How far back to search for the first event: twice the farthest match so far, because the log grows. */
  #depth(): number {
    const { replayDepth } = this.#run.evidence
    return replayDepth === undefined ? FIRST_DEPTH : Math.max(SLICE, 2 * replayDepth)
  }

  #learnDepth(last: number, seqs: readonly number[]): void {
    if (this.#foundSeq !== undefined) return
    const { evidence } = this.#run
    const depth = seqs.length === 0 ? 0 : last - Math.min(...seqs)
    evidence.replayDepth = Math.max(evidence.replayDepth ?? 0, depth)
  }
}
