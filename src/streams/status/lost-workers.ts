import { isNotNull } from 'drizzle-orm'
import { states } from '../../../drizzle/schema.ts'
import type { Database } from '../../storage/storage.ts'
import type { JobControl } from '../registry/streams.ts'
import type { Sign } from './health.ts'

/** A worker without a heartbeat for this long, in milliseconds, is lost: others take over its streams. */
export const LOST_AFTER_MS = 5_000
/** A worker that hasn't checked for this long, in milliseconds, can't tell whether the others are lost or it was paused
 * itself. */
const BLIND_AFTER_MS = 3_000

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
    const first = [...this.#signs.keys()].find((name) => !lost.has(name))
    const names = new Set([...lost].filter((name) => !this.#freed.has(name)))
    if (names.size === 0 || first !== this.#deps.worker) return
    for (const name of names) this.#freed.add(name)
    try {
      await this.#freeAll(names)
    } catch (error) {
      for (const name of names) this.#freed.delete(name)
      throw error
    }
  }

  async #freeAll(names: ReadonlySet<string>): Promise<void> {
    const { db, control } = this.#deps
    const rows = await db
      .select({ id: states.streamId, worker: states.worker })
      .from(states)
      .where(isNotNull(states.worker))
    const isLost = (name: string | null | undefined) => typeof name === 'string' && names.has(name)
    await control.free(rows.filter((row) => isLost(row.worker)).map((row) => row.id))
    // They also claimed jobs whose runs hadn't started, and jobs whose streams are gone.
    const held = new Set(rows.map((row) => row.id))
    const others = await control.claims((id) => !held.has(id))
    await control.free(others.filter((claim) => isLost(claim.worker)).map((claim) => claim.id))
  }
}
