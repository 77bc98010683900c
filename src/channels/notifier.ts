import { inArray, isNull, type SQL } from 'drizzle-orm'
import { channels, deliveries, streams } from '../../drizzle/schema.ts'
import type { Database } from '../storage/storage.ts'
import { type Message, storedMessage } from './message.ts'

/** Sees to it that deliveries are made soon. Lost calls cost seconds: the schedule finds what is due in the table. */
export interface DeliveryControl {
  deliverLater(deliveries: readonly Queued[]): void
  /** The same for deliveries that may still have a job, which waits for a time that is no longer theirs. */
  deliverAgain(deliveries: readonly Queued[]): void
}

export interface NotifierDeps {
  db: Database
  control: DeliveryControl
  /** Milliseconds since the epoch. */
  now(): number
}

/** A delivery that was stored. */
export type Queued = { id: string; channelId: string }

/** Streams looked at in one statement. */
const BULK = 1_000

/** Finds out who is to be told, and tells them. */
export class Notifier {
  readonly #deps: NotifierDeps

  constructor(deps: NotifierDeps) {
    this.#deps = deps
  }

  /**
   * Who is responsible for the streams: the channels that a stream names in `notify` (by id or name), else those with
   * one of its tags, else the default ones. One that is suspended is passed over, and whoever comes next is told.
   * @returns the streams of each channel; streams that nobody is responsible for are in none
   */
  async responsible(streamIds: readonly string[]): Promise<Map<string, string[]>> {
    return this.#responsible(streamIds, isNull(channels.suspendedAt))
  }

  /** The same with channels that are suspended: to say why nobody is told. */
  async responsibleOrSuspended(streamIds: readonly string[]): Promise<Map<string, string[]>> {
    return this.#responsible(streamIds, undefined)
  }

  /**
   * Tells the channels, soon: stores one delivery for each, and waits for none of them. A channel that is gone is left
   * out; for one that is suspended a cancelled delivery is kept, which can be replayed once it is resumed.
   * @returns the ids of the deliveries
   */
  async send(message: Message, channelIds: readonly string[], incidentId?: string): Promise<string[]> {
    const stored = await this.store(this.#deps.db, message, channelIds, incidentId)
    this.deliver(stored)
    return stored.map(({ id }) => id)
  }

  /**
   * Stores the deliveries in a transaction of the caller's, so that a message is sent exactly if what it tells of is
   * stored. Call {@link deliver} after the commit: without it they go out too, some seconds later.
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

  /** Makes workers look at deliveries that were stored. */
  deliver(stored: readonly Queued[]): void {
    if (stored.length > 0) this.#deps.control.deliverLater(stored)
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

/** The first of named, tagged and default channels that there are any of. */
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
