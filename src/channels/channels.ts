import { and, asc, eq, sql } from 'drizzle-orm'
import { channels, deliveries } from '../../drizzle/schema.ts'
import type { Bus } from '../bus/bus.ts'
import { HIDDEN } from '../core/hidden.ts'
import { isUuid } from '../core/uuid.ts'
import { Problem } from '../errors.ts'
import { type Egress, EgressError } from '../net/egress.ts'
import { transact } from '../storage/errors/sql-state.ts'
import type { Database } from '../storage/storage.ts'
import type { SendError } from './kind.ts'
import { type AnyKind, channelKindOf } from './kinds.ts'
import { type ChannelChange, type ChannelInput, configOf, knownKind } from './registration.ts'

export type Channel = typeof channels.$inferSelect

/** A channel as others may see it. */
export interface ChannelView extends Omit<Channel, 'config'> {
  /** The host that the channel sends to, with its port if that isn't the default. */
  target: string
  config: Record<string, unknown>
  /** The outcome of the newest delivery. */
  lastDelivery: LastDelivery | null
}

export interface LastDelivery {
  id: string
  type: string
  status: (typeof deliveries.$inferSelect)['status']
  attempts: number
  at: string
  nextAttemptAt: string | null
  error: SendError | null
}

/** Maximum number of channels; every message checks all of them. */
export const MAX_CHANNELS = 500
/** Default ports, which aren't shown. */
const USUAL_PORTS = new Set([80, 443, 465, 587])

export interface ChannelsDeps {
  db: Database
  bus: Bus
  egress: Egress
  /** Milliseconds since the epoch. */
  now(): number
}

/** Manages the channels that notifications go to; publishes `channel.updated`. */
export class Channels {
  readonly #deps: ChannelsDeps

  constructor(deps: ChannelsDeps) {
    this.#deps = deps
  }

  /**
   * @throws Problem `conflict` for a name that is taken; `host_unknown` or `not_allowed` for a target that can't or
   *   mustn't be reached
   */
  async add({
    name,
    kind: kindName,
    config: given,
    tags = [],
    isDefault = false,
  }: ChannelInput): Promise<Channel> {
    const { db } = this.#deps
    const kind = knownKind(kindName)
    const config = configOf(kind, given)
    await this.#checkTarget(kind, config)
    const [counted] = await db.select({ count: sql`count(*)`.mapWith(Number) }).from(channels)
    if ((counted?.count ?? 0) >= MAX_CHANNELS) {
      throw new Problem('too_many', `The limit of ${MAX_CHANNELS} channels is reached. Remove one first.`)
    }
    const at = new Date(this.#deps.now())
    const values = {
      id: Bun.randomUUIDv7(),
      name,
      kind: kind.name,
      config,
      tags,
      isDefault,
      createdAt: at,
      updatedAt: at,
    }
    const [added] = await db.insert(channels).values(values).onConflictDoNothing().returning()
    if (added === undefined) throw taken(name)
    this.#updated()
    return added
  }

  /** All of them, by name. */
  async list(): Promise<ChannelView[]> {
    const rows = await this.#deps.db.select().from(channels).orderBy(asc(channels.name))
    const last = await this.#lastDeliveries()
    return rows.map((row) => channelViewOf(row, last.get(row.id) ?? null))
  }

  async view(id: string): Promise<ChannelView> {
    const channel = await this.get(id)
    return channelViewOf(channel, (await this.#lastDeliveries(channel.id)).get(channel.id) ?? null)
  }

  /** With its secrets. @throws Problem `not_found` */
  async get(id: string): Promise<Channel> {
    const [channel] = await this.#deps.db
      .select()
      .from(channels)
      .where(eq(channels.id, uuid(id)))
    if (channel === undefined) throw noChannel(id)
    return channel
  }

  /** @throws Problem as {@link add} */
  async change(id: string, { config: given, ...change }: ChannelChange): Promise<Channel> {
    const before = await this.get(id)
    const kind = knownKind(before.kind)
    const config = given && configOf(kind, given, before.config)
    if (config !== undefined) await this.#checkTarget(kind, config)
    if (change.name !== undefined && change.name !== before.name) await this.#checkName(change.name)
    const set = { ...change, ...(config && { config }), updatedAt: new Date(this.#deps.now()) }
    const [changed] = await this.#deps.db.update(channels).set(set).where(eq(channels.id, id)).returning()
    if (changed === undefined) throw noChannel(id)
    this.#updated()
    return changed
  }

  /** Removes a channel with all its deliveries. */
  async remove(id: string): Promise<void> {
    const removed = await this.#deps.db
      .delete(channels)
      .where(eq(channels.id, uuid(id)))
      .returning({ id: channels.id })
    if (removed.length === 0) throw noChannel(id)
    this.#updated()
  }

  /** Suspends a channel and cancels its pending deliveries. Has no effect on a suspended one. */
  async suspend(id: string, reason: string): Promise<Channel> {
    const { db, now } = this.#deps
    await this.get(id)
    await transact(db, (tx) => suspendChannel(tx, id, reason, new Date(now())))
    this.#updated()
    return this.get(id)
  }

  /** Resumes a channel: new messages are sent to it again. */
  async resume(id: string): Promise<Channel> {
    const set = { suspendedAt: null, suspendedReason: null, updatedAt: new Date(this.#deps.now()) }
    const [resumed] = await this.#deps.db
      .update(channels)
      .set(set)
      .where(eq(channels.id, uuid(id)))
      .returning()
    if (resumed === undefined) throw noChannel(id)
    this.#updated()
    return resumed
  }

  #updated(): void {
    this.#deps.bus.publish({ type: 'channel.updated' })
  }

  async #checkName(name: string): Promise<void> {
    const found = await this.#deps.db
      .select({ id: channels.id })
      .from(channels)
      .where(eq(channels.name, name))
    if (found.length > 0) throw taken(name)
  }

  async #checkTarget(kind: AnyKind, config: Record<string, unknown>): Promise<void> {
    const { egress } = this.#deps
    const { host, port } = kind.target(config)
    try {
      // Mail doesn't use the proxy.
      await (typeof config.url === 'string' ? egress.check(config.url) : egress.resolve(host, port))
    } catch (error) {
      if (!(error instanceof EgressError)) throw error
      throw new Problem(error.code, error.message, 'url' in config ? 'config.url' : 'config.host')
    }
  }

  async #lastDeliveries(channelId?: string): Promise<Map<string, LastDelivery>> {
    const { db } = this.#deps
    const rows = await db
      .selectDistinctOn([deliveries.channelId], {
        channelId: deliveries.channelId,
        id: deliveries.id,
        type: deliveries.type,
        status: deliveries.status,
        attempts: deliveries.attempts,
        createdAt: deliveries.createdAt,
        nextAttemptAt: deliveries.nextAttemptAt,
        // Drizzle omits the table name of columns if there is only one table; here there are two.
        error: sql<string | null>`(SELECT attempt.error FROM weir.attempts AS attempt
          WHERE attempt.delivery_id = weir.deliveries.id ORDER BY attempt.at DESC, attempt.id DESC LIMIT 1)`,
      })
      .from(deliveries)
      .where(channelId === undefined ? undefined : eq(deliveries.channelId, channelId))
      .orderBy(deliveries.channelId, sql`${deliveries.createdAt} DESC`)
    return new Map(
      rows.map(({ channelId: id, createdAt, nextAttemptAt, error, ...row }) => [
        id,
        {
          ...row,
          at: createdAt.toISOString(),
          nextAttemptAt: nextAttemptAt?.toISOString() ?? null,
          error: sendErrorOf(error),
        },
      ]),
    )
  }
}

/** A channel without its secrets. */
export function channelViewOf(
  { config, ...channel }: Channel,
  lastDelivery: LastDelivery | null,
): ChannelView {
  const kind = channelKindOf(channel.kind)
  if (kind === undefined) return { ...channel, target: '', config: {}, lastDelivery }
  const { host, port } = kind.target(config)
  const shown = Object.entries(config).map(([name, value]) => [
    name,
    kind.secrets.includes(name) ? HIDDEN : value,
  ])
  const target = USUAL_PORTS.has(port) ? host : `${host}:${port}`
  return { ...channel, target, config: Object.fromEntries(shown), lastDelivery }
}

/** Suspends a channel and cancels its pending deliveries. Its row is locked first, as when sending. */
export async function suspendChannel(tx: Database, id: string, reason: string, at: Date): Promise<void> {
  const [channel] = await tx.select().from(channels).where(eq(channels.id, id)).for('no key update')
  if (channel === undefined || channel.suspendedAt !== null) return
  await tx
    .update(channels)
    .set({ suspendedAt: at, suspendedReason: reason, updatedAt: at })
    .where(eq(channels.id, id))
  await tx
    .update(deliveries)
    .set({ status: 'cancelled', nextAttemptAt: null, endedAt: at })
    .where(and(eq(deliveries.channelId, id), eq(deliveries.status, 'pending')))
}

/** An attempt's error, as it is stored. */
export function sendErrorOf(text: string | null): SendError | null {
  return text === null ? null : (JSON.parse(text) as SendError)
}

/** @throws Problem `not_found` for a text that isn't an ID; Postgres would refuse the query. */
export function uuid(text: string, what = 'channel'): string {
  if (isUuid(text)) return text
  throw new Problem('not_found', `No ${what} has the ID ${text.slice(0, 64)}.`)
}

function noChannel(id: string): Problem {
  return new Problem('not_found', `No channel has the ID ${id.slice(0, 64)}.`)
}

function taken(name: string): Problem {
  return new Problem('conflict', `A channel named ${name} already exists. Choose another name.`, 'name')
}
