import { eq } from 'drizzle-orm'
import { states } from '../../drizzle/schema.ts'
import type { Bus } from '../bus/bus.ts'
import { withRefusals } from '../core/judging/refusals.ts'
import type { Evidence } from '../core/judging/status.ts'
import { causeOf } from '../errors.ts'
import { transact } from '../storage/errors/sql-state.ts'
import type { Database } from '../storage/storage.ts'

/** Refusals are gathered for this long, in milliseconds: whoever guesses must not cost a write each. */
const GATHER_MS = 1_000

interface RefusedDeps {
  db: Database
  bus: Bus
  now(): number
  warn(message: string): void
}

/** Counts deliveries that were refused, by stream: they aren't entries, and a guesser must not fill the log. */
export class Refused {
  readonly #deps: RefusedDeps
  #waiting = new Map<string, { count: number; reason: string }>()
  #timer: Timer | undefined
  #writing: Promise<void> = Promise.resolve()

  constructor(deps: RefusedDeps) {
    this.#deps = deps
  }

  count(streamId: string, reason: string): void {
    const count = (this.#waiting.get(streamId)?.count ?? 0) + 1
    this.#waiting.set(streamId, { count, reason })
    this.#timer ??= setTimeout(() => void this.#flush(), GATHER_MS)
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer)
    await this.#flush()
  }

  #flush(): Promise<void> {
    this.#timer = undefined
    const waiting = this.#waiting
    this.#waiting = new Map()
    this.#writing = this.#writing.then(() => this.#write(waiting))
    return this.#writing
  }

  async #write(waiting: ReadonlyMap<string, { count: number; reason: string }>): Promise<void> {
    const { db, bus, now, warn } = this.#deps
    for (const [streamId, refused] of waiting) {
      try {
        await transact(db, async (tx) => {
          const [state] = await tx.select().from(states).where(eq(states.streamId, streamId)).for('update')
          if (state === undefined) return
          const known = state.evidence as Evidence
          const evidence = { ...known, refused: withRefusals(known.refused, { ...refused, at: now() }) }
          await tx.update(states).set({ evidence }).where(eq(states.streamId, streamId))
        })
        bus.publish({ type: 'stream.updated', streamIds: [streamId] })
      } catch (error) {
        warn(`Can't count refused deliveries: ${causeOf(error)}`)
      }
    }
  }
}
