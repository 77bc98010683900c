import { isNotNull } from 'drizzle-orm'
import { states } from '../../../drizzle/schema.ts'
import type { Database } from '../../storage/storage.ts'
import type { JobControl } from '../registry/streams.ts'
import type { Sign } from './health.ts'

/** A worker that gives no sign of life for this long, in milliseconds, is gone: others take its streams. */
export const LOST_AFTER_MS = 5_000
/** Who has not looked for this long, in milliseconds, can't tell whether the others are gone or itself was away. */
const BLIND_AFTER_MS = 3_000

export interface LostWorkersDeps {
  db: Database
  control: Pick<JobControl, 'claims' | 'free'>
  worker: string
  /** A clock that nobody sets, in milliseconds. */
  clock?: () => number
}

/**
 * Finds the workers that are gone, by their signs of life: one row for a worker and not one lock for each stream,
 * whose keeping would cost more than all that streams say. What counts is how long a sign has stayed the same before
 * one's own eyes: clocks of other machines don't matter, nor that a database which was away had everybody wait.
 */
export class LostWorkers {
  readonly #deps: LostWorkersDeps
  readonly #clock: () => number
  /** Since when each worker's sign is as it is. */
  readonly #signs = new Map<string, { seenAt: number; since: number }>()
  readonly #freed = new Set<string>()
  #lookedAt = Number.NEGATIVE_INFINITY

  constructor(deps: LostWorkersDeps) {
    this.#deps = deps
    this.#clock = deps.clock ?? (() => performance.now())
  }

  /** @returns the names of those that are gone */
  look(signs: readonly Sign[]): Set<string> {
    const now = this.#clock()
    const wasBlind = now - this.#lookedAt > BLIND_AFTER_MS
    this.#lookedAt = now
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

  /** Has the others take what the lost ones held, once. Of those that live, the first by name does it, for all. */
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
    // Theirs are as well the jobs whose runs they hadn't begun, and those whose streams are gone.
    const held = new Set(rows.map((row) => row.id))
    const others = await control.claims((id) => !held.has(id))
    await control.free(others.filter((claim) => isLost(claim.worker)).map((claim) => claim.id))
  }
}
