import { isNotNull, notInArray } from 'drizzle-orm'
import { states } from '../../../drizzle/schema.ts'
import type { Database } from '../../storage/storage.ts'
import type { JobControl } from '../registry/streams.ts'
import type { Sign } from './health.ts'

/** A worker without a heartbeat for this long, in milliseconds, is lost: others take over its streams. */
export const LOST_AFTER_MS = 5_000
/** A worker that hasn't checked for this long, in milliseconds, can't tell whether the others are lost or it was paused
 * itself. */
const BLIND_AFTER_MS = 3_000
/** How often jobs are looked for that a lost worker claimed, but whose streams it never held, in milliseconds. */
const SWEEP_EVERY_MS = 10_000

export interface LostWorkersDeps {
  db: Database
  control: Pick<JobControl, 'claims' | 'free'>
  worker: string
  /** A monotonic clock, in milliseconds. */
  clock?: () => number
}

/**
 * Finds lost workers by their heartbeats: one row for each worker instead of one lock for each stream, which would cost
 * more than the streams' own data. What counts is how long this worker has seen the same heartbeat: the clocks of other
 * machines don't matter, nor does an unreachable database that made all workers wait.
 */
export class LostWorkers {
  readonly #deps: LostWorkersDeps
  readonly #clock: () => number
  /** Since when each worker's heartbeat has been unchanged. */
  readonly #signs = new Map<string, { seenAt: number; since: number }>()
  readonly #freed = new Set<string>()
  #checkedAt = Number.NEGATIVE_INFINITY
  #sweptAt = Number.NEGATIVE_INFINITY

  constructor(deps: LostWorkersDeps) {
    this.#deps = deps
    this.#clock = deps.clock ?? (() => performance.now())
  }

  /** @returns the names of lost workers */
  check(signs: readonly Sign[]): Set<string> {
    const now = this.#clock()
    const wasBlind = now - this.#checkedAt > BLIND_AFTER_MS
    this.#checkedAt = now
    const known = new Map(this.#signs)
    this.#signs.clear()
    const lost = new Set<string>()
    for (const { name, seenAt } of signs) {
      const last = known.get(name)
      const isSame = last !== undefined && last.seenAt === seenAt.getTime() && !wasBlind
      const since = isSame ? last.since : now
      this.#signs.set(name, { seenAt: seenAt.getTime(), since })
      if (now - since >= LOST_AFTER_MS) lost.add(name)
    }
    for (const name of this.#freed) if (!lost.has(name)) this.#freed.delete(name)
    return lost
  }

  /** Frees the streams of lost workers, once, so that others take them over. The first live worker by name does it for all. */
  async free(lost: ReadonlySet<string>): Promise<void> {
    const live = new Set([...this.#signs.keys()].filter((name) => !lost.has(name)))
    const [first] = live
    if (lost.size === 0 || first !== this.#deps.worker) return
    const names = new Set([...lost].filter((name) => !this.#freed.has(name)))
    if (names.size === 0) return this.#sweep(live)
    for (const name of names) this.#freed.add(name)
    try {
      await this.#freeAll(names, live)
    } catch (error) {
      for (const name of names) this.#freed.delete(name)
      throw error
    }
  }

  async #freeAll(names: ReadonlySet<string>, live: ReadonlySet<string>): Promise<void> {
    const { db, control } = this.#deps
    const rows = await db
      .select({ id: states.streamId, worker: states.worker })
      .from(states)
      .where(isNotNull(states.worker))
    const lost = rows.filter(({ worker }) => worker !== null && names.has(worker))
    await control.free(lost.map(({ id }) => id))
    // They also claimed jobs whose runs hadn't started, and jobs whose streams are gone.
    const settled = new Set(
      rows.filter(({ worker }) => worker !== null && live.has(worker)).map(({ id }) => id),
    )
    for (const { id } of lost) settled.add(id)
    await this.#freeClaims((id) => !settled.has(id), live)
  }

  /**
   * Frees jobs of streams without a live worker that no live worker has claimed: a worker may have claimed one after
   * another was lost, and have been killed before its run started, or before its first heartbeat.
   */
  async #sweep(live: ReadonlySet<string>): Promise<void> {
    const now = this.#clock()
    if (now - this.#sweptAt < SWEEP_EVERY_MS) return
    this.#sweptAt = now
    const rows = await this.#deps.db
      .select({ id: states.streamId })
      .from(states)
      .where(notInArray(states.worker, [...live]))
    const ids = new Set(rows.map(({ id }) => id))
    if (ids.size > 0) await this.#freeClaims((id) => ids.has(id), live)
  }

  async #freeClaims(isAskedFor: (id: string) => boolean, live: ReadonlySet<string>): Promise<void> {
    const { control } = this.#deps
    const claims = await control.claims(isAskedFor)
    const lost = claims.filter(({ worker }) => worker !== undefined && !live.has(worker))
    if (lost.length > 0) await control.free(lost.map(({ id }) => id))
  }
}
