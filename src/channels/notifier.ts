import { inArray, isNull, type SQL } from 'drizzle-orm'
import { channels, deliveries, streams } from '../../drizzle/schema.ts'
import type { Bus } from '../bus/bus.ts'
import type { Database } from '../storage/storage.ts'
import { type Message, storedMessage } from './message.ts'

/** Starts deliveries soon. A lost call costs seconds: the schedule finds due deliveries in the table. */
export interface DeliveryControl {
  deliverLater(deliveries: readonly Queued[]): void
  /** The same for deliveries that may still have a job with an outdated time. */
  deliverAgain(deliveries: readonly Queued[]): void
}

export interface NotifierDeps {
  db: Database
  control: DeliveryControl
  bus: Bus
  /** Milliseconds since the epoch. */
  now(): number
}

/** A delivery that was stored. */
export type Queued = { id: string; channelId: string }

/** Streams per statement. */
const BULK = 1_000

/** Finds the responsible channels and stores deliveries for them; publishes `channel.updated`. */
export class Notifier {
  readonly #deps: NotifierDeps

  constructor(deps: NotifierDeps) {
    this.#deps = deps
  }

  /**
   * The channels responsible for the streams: those that a stream names in `notify` (by ID or name), else those with one
   * of its tags, else the default ones. Suspended channels are skipped, and the next ones are used.
   * @returns the streams of each channel; streams without a responsible channel are left out
   */
  async responsible(streamIds: readonly string[]): Promise<Map<string, string[]>> {
    return this.#responsible(streamIds, isNull(channels.suspendedAt))
  }

  /** The same including suspended channels: to explain why no one is notified. */
  async responsibleOrSuspended(streamIds: readonly string[]): Promise<Map<string, string[]>> {
    return this.#responsible(streamIds, undefined)
  }

  /**
   * Notifies channels in the background: stores one delivery for each, and waits for none. A removed channel is left
   * out; a suspended one gets a cancelled delivery, which can be replayed once it is resumed.
   * @returns the IDs of the deliveries
   */
  async send(message: Message, channelIds: readonly string[], incidentId?: string): Promise<string[]> {
    const stored = await this.store(this.#deps.db, message, channelIds, incidentId)
    this.deliver(stored)
    return stored.map(({ id }) => id)
  }

  /**
   * Stores the deliveries in the caller's transaction, so that a message is sent if and only if its occasion is
   * stored. Call {@link deliver} after the commit; without it they go out some seconds later.
   */
  async store(
    tx: Database,
    message: Message,
    channelIds: readonly string[],
    incidentId = message.incidentId,
  ): Promise<Queued[]> {
    if (channelIds.length === 0) return []
    const at = new Date(this.#deps.now())
    const known = await tx
      .select({ id: channels.id, suspendedAt: channels.suspendedAt })
      .from(channels)
      .where(inArray(channels.id, [...new Set(channelIds)]))
    if (known.length === 0) return []
    const stored = storedMessage({ ...message, incidentId })
    const values = known.map(({ id, suspendedAt }) => ({
      id: Bun.randomUUIDv7('hex', at),
      channelId: id,
      incidentId: incidentId ?? null,
      type: stored.type,
      message: stored,
      createdAt: at,
      ...(suspendedAt === null
        ? { status: 'pending' as const, nextAttemptAt: at }
        : { status: 'cancelled' as const, endedAt: at }),
    }))
    await tx.insert(deliveries).values(values)
    return values.map(({ id, channelId }) => ({ id, channelId }))
  }

  /** Makes workers attempt the stored deliveries now: after the commit. */
  deliver(stored: readonly Queued[]): void {
    if (stored.length === 0) return
    this.#deps.bus.publish({ type: 'channel.updated' })
    this.#deps.control.deliverLater(stored)
  }

  async #responsible(streamIds: readonly string[], which: SQL | undefined): Promise<Map<string, string[]>> {
    const { db } = this.#deps
    const who = await db
      .select({
        id: channels.id,
        name: channels.name,
        tags: channels.tags,
        isDefault: channels.isDefault,
      })
      .from(channels)
      .where(which)
    const found = new Map<string, string[]>()
    for (let from = 0; from < streamIds.length; from += BULK) {
      const rows = await db
        .select({ id: streams.id, tags: streams.tags, notify: streams.notify })
        .from(streams)
        .where(inArray(streams.id, [...streamIds.slice(from, from + BULK)]))
      for (const stream of rows) {
        for (const { id } of responsibleFor(stream, who)) {
          const list = found.get(id)
          if (list === undefined) found.set(id, [stream.id])
          else list.push(stream.id)
        }
      }
    }
    return found
  }
}

interface Candidate {
  id: string
  name: string
  tags: readonly string[]
  isDefault: boolean
}

/** The first non-empty of named, tagged and default channels. */
export function responsibleFor<C extends Candidate>(
  { notify, tags }: { notify: readonly string[]; tags: readonly string[] },
  candidates: readonly C[],
): C[] {
  const named = candidates.filter(({ id, name }) => notify.includes(id) || notify.includes(name))
  if (named.length > 0) return named
  const tagged = candidates.filter((channel) => channel.tags.some((tag) => tags.includes(tag)))
  if (tagged.length > 0) return tagged
  return candidates.filter(({ isDefault }) => isDefault)
}
