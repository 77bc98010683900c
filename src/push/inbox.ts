import type { Bus } from '../bus/bus.ts'
import { batched } from '../core/batch.ts'
import { DEFAULT_PUSH } from '../core/sets/push-schemes.ts'
import { Problem } from '../errors.ts'
import type { Database } from '../storage/storage.ts'
import type { Stream } from '../streams/ingest/run.ts'
import type { JudgingLimits } from '../streams/status/expectation.ts'
import { type Delivery, deliveryOf } from './delivery.ts'
import { Refused } from './refused.ts'
import { type Arrived, refusalOf } from './signature.ts'
import { type Stored, storeDeliveries } from './store.ts'
import { streamOfToken } from './tokens.ts'

/** Maximum size of a delivery, in bytes. */
export const MAX_DELIVERY_BYTES = 1_048_576
/** Deliveries stored in one transaction. */
const BATCH = 100
/** Bounds of what waits to be stored in this process; beyond either, senders are asked to try again. */
const MAX_WAITING = 1_000
const MAX_WAITING_BYTES = 67_108_864
/** Longest wait for the database, in milliseconds: then the sender is asked to try again, which changes nothing. */
const STORE_MS = 10_000

export interface InboxDeps {
  db: Database
  /** Receives `entries.stored` and `stream.updated`. */
  bus: Bus
  limits: JudgingLimits
  now(): number
  warn(message: string): void
}

/** Takes what is pushed to streams: verified, then stored, then answered. */
export class Inbox {
  readonly #deps: InboxDeps
  readonly #refused: Refused
  readonly #store: (delivery: Delivery) => Promise<Stored>
  #waiting = 0
  #waitingBytes = 0

  constructor(deps: InboxDeps) {
    this.#deps = deps
    this.#refused = new Refused(deps)
    this.#store = batched((batch: readonly Delivery[]) => this.#storeAll(batch), BATCH)
  }

  /** @throws Problem `not_found`, the same for every token that isn't known */
  async streamOf(token: string): Promise<Stream> {
    const stream = await streamOfToken(this.#deps.db, token)
    if (stream !== undefined) return stream
    throw new Problem('not_found', 'No stream has this URL. It may have been replaced by a new one.')
  }

  /**
   * Stores a delivery.
   * @returns once it is durable
   * @throws Problem `unauthorized` for a wrong signature; `unavailable` if it can't be stored now
   */
  async take(stream: Stream, arrived: Arrived): Promise<Exclude<Stored, 'stopped'>> {
    const settings = stream.push ?? DEFAULT_PUSH
    const refusal = refusalOf(settings, arrived)
    if (refusal !== undefined) {
      this.#refused.count(stream.id, refusal)
      throw new Problem('unauthorized', refusal)
    }
    if (stream.desired !== 'running') throw stopped()
    const stored = await this.#bounded(deliveryOf(stream.id, settings, arrived))
    if (stored === 'stopped') throw stopped()
    return stored
  }

  close(): Promise<void> {
    return this.#refused.close()
  }

  async #bounded(delivery: Delivery): Promise<Stored> {
    if (this.#waiting >= MAX_WAITING || this.#waitingBytes >= MAX_WAITING_BYTES) {
      throw new Problem('unavailable', 'Too many deliveries wait to be stored.')
    }
    this.#waiting++
    this.#waitingBytes += delivery.bytes
    const storing = this.#store(delivery).finally(() => {
      this.#waiting--
      this.#waitingBytes -= delivery.bytes
    })
    const late = Promise.withResolvers<never>()
    const timer = setTimeout(() => late.reject(new Problem('unavailable', LATE)), STORE_MS)
    try {
      return await Promise.race([storing, late.promise])
    } finally {
      clearTimeout(timer)
      storing.catch(() => {})
    }
  }

  async #storeAll(batch: readonly Delivery[]): Promise<readonly Stored[]> {
    const { db, bus, limits, now } = this.#deps
    const { outcomes, entries } = await storeDeliveries(db, batch, limits, now())
    if (entries.length > 0) {
      bus.publish({ type: 'entries.stored', entries })
      bus.publish({
        type: 'stream.updated',
        streamIds: [...new Set(entries.map(({ streamId }) => streamId))],
      })
    }
    return outcomes
  }
}

const LATE = "The delivery wasn't stored in time. Send it again: it is stored once."

/** Temporary on purpose: senders try again for hours or days, and some give up for good after 404 or 410. */
function stopped(): Problem {
  return new Problem('unavailable', 'The stream is stopped. Send the delivery again later.')
}
