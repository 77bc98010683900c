import { and, asc, desc, eq, inArray, isNull, lt, notInArray, or, sql } from 'drizzle-orm'
import { attempts, channels, deliveries } from '../../drizzle/schema.ts'
import type { Bus } from '../bus/bus.ts'
import { DAY_MS } from '../core/time.ts'
import { Problem } from '../errors.ts'
import type { Database } from '../storage/storage.ts'
import { sendErrorOf, uuid } from './channels.ts'
import type { ReceivedResponse, SendError, SentRequest } from './kind.ts'
import type { StoredMessage } from './message.ts'
import type { DeliveryControl, Queued } from './notifier.ts'

export const DELIVERY_STATUSES = deliveries.status.enumValues
export type DeliveryStatus = (typeof DELIVERY_STATUSES)[number]

/** Maximum number of attempts shown per delivery: the newest. */
const MAX_ATTEMPTS_SHOWN = 50
/** A delivery that is overdue for this long, in milliseconds, has lost its job. */
const LOST_MS = 10_000
/** Maximum number of jobs created by one check: the next one creates the rest. */
const RECONCILE_LIMIT = 1_000
/** How long a finished delivery is kept, in milliseconds: 30 days. */
export const KEEP_MS = 30 * DAY_MS
/** How many are kept per channel. */
export const KEEP_PER_CHANNEL = 1_000
/** Maximum number of deliveries that one check removes: the next one continues. */
const FORGET_LIMIT = 5_000

/** A delivery with its attempts, the oldest first. */
export interface DeliveryView {
  id: string
  channelId: string
  incidentId: string | null
  type: string
  message: StoredMessage
  status: DeliveryStatus
  nextAttemptAt: Date | null
  createdAt: Date
  endedAt: Date | null
  attempts: AttemptView[]
}

export interface AttemptView {
  at: Date
  durationMs: number
  request: Partial<SentRequest>
  response: ReceivedResponse | null
  error: SendError | null
}

export interface DeliveriesQuery {
  status?: DeliveryStatus
  /** ID of the last delivery on the page before. */
  after?: string
  limit: number
}

/** A page of a channel's deliveries, newest first, and the cursor of the next. */
export async function readDeliveries(
  db: Database,
  channelId: string,
  { status, after, limit }: DeliveriesQuery,
): Promise<{ items: DeliveryView[]; next: string | undefined }> {
  const conditions = [
    eq(deliveries.channelId, channelId),
    status && eq(deliveries.status, status),
    after === undefined ? undefined : lt(deliveries.id, uuid(after, 'delivery')),
  ]
  const rows = await db
    .select()
    .from(deliveries)
    .where(and(...conditions))
    .orderBy(desc(deliveries.id))
    .limit(limit + 1)
  const shown = rows.slice(0, limit)
  const tried = await attemptsOf(
    db,
    shown.map(({ id }) => id),
  )
  return {
    items: shown.map(({ attempts: _count, sendingUntil: _until, ...row }) => ({
      ...row,
      message: row.message as StoredMessage,
      attempts: tried.get(row.id) ?? [],
    })),
    next: rows.length > limit ? shown.at(-1)?.id : undefined,
  }
}

/**
 * Sends a finished delivery once more, under the same ID and with all attempts again.
 * @throws Problem `not_found`; `conflict` for an unfinished one, and while its channel is suspended
 */
export async function replay(
  { db, control, bus, now }: { db: Database; control: DeliveryControl; bus: Bus; now(): number },
  id: string,
): Promise<Queued> {
  const [found] = await db
    .select({ channelId: deliveries.channelId, suspendedAt: channels.suspendedAt })
    .from(deliveries)
    .innerJoin(channels, eq(channels.id, deliveries.channelId))
    .where(eq(deliveries.id, uuid(id, 'delivery')))
  if (found === undefined) throw new Problem('not_found', `No delivery has the ID ${id.slice(0, 64)}.`)
  if (found.suspendedAt !== null) {
    throw new Problem('conflict', 'The channel is suspended. Resume it first.')
  }
  const replayed = await db
    .update(deliveries)
    .set({ status: 'pending', attempts: 0, nextAttemptAt: new Date(now()), endedAt: null })
    .where(and(eq(deliveries.id, id), sql`${deliveries.status} <> 'pending'`))
    .returning({ id: deliveries.id })
  if (replayed.length === 0) throw new Problem('conflict', 'The delivery is still pending.')
  bus.publish({ type: 'channel.updated' })
  const queued = { id, channelId: found.channelId }
  control.deliverAgain([queued])
  return queued
}

/**
 * Makes the queue agree with the table: an overdue delivery has lost its job, or has one that is too late, and gets
 * another. A delivery with a running attempt isn't affected.
 * @returns how many jobs were created
 */
export async function reconcileDeliveries(
  db: Database,
  control: DeliveryControl,
  now: number,
): Promise<number> {
  const rows = await db
    .select({ id: deliveries.id, channelId: deliveries.channelId })
    .from(deliveries)
    .where(
      and(
        eq(deliveries.status, 'pending'),
        lt(deliveries.nextAttemptAt, new Date(now - LOST_MS)),
        or(isNull(deliveries.sendingUntil), lt(deliveries.sendingUntil, new Date(now))),
      ),
    )
    .orderBy(asc(deliveries.nextAttemptAt))
    .limit(RECONCILE_LIMIT)
  if (rows.length > 0) control.deliverAgain(rows)
  return rows.length
}

/**
 * Removes deliveries that finished long ago, and those beyond the limit of each channel, in bounded steps.
 * @returns how many it removed
 */
export async function forgetDeliveries(
  { db, bus }: { db: Database; bus: Bus },
  now: number,
): Promise<number> {
  const ranked = db
    .select({
      id: deliveries.id,
      status: deliveries.status,
      endedAt: deliveries.endedAt,
      rank: sql<number>`row_number() OVER (PARTITION BY ${deliveries.channelId} ORDER BY ${deliveries.id} DESC)`.as(
        'rank',
      ),
    })
    .from(deliveries)
    .as('ranked')
  const old = db
    .select({ id: ranked.id })
    .from(ranked)
    .where(
      and(
        notInArray(ranked.status, ['pending']),
        or(lt(ranked.endedAt, new Date(now - KEEP_MS)), sql`${ranked.rank} > ${KEEP_PER_CHANNEL}`),
      ),
    )
    .limit(FORGET_LIMIT)
  const gone = await db.delete(deliveries).where(inArray(deliveries.id, old)).returning({ id: deliveries.id })
  if (gone.length > 0) bus.publish({ type: 'channel.updated' })
  return gone.length
}

async function attemptsOf(db: Database, ids: readonly string[]): Promise<Map<string, AttemptView[]>> {
  const found = new Map<string, AttemptView[]>()
  if (ids.length === 0) return found
  const rows = await db
    .select()
    .from(attempts)
    .where(inArray(attempts.deliveryId, [...ids]))
    .orderBy(desc(attempts.at), desc(attempts.id))
  for (const { deliveryId, at, durationMs, request, response, error } of rows) {
    const list = found.get(deliveryId) ?? []
    found.set(deliveryId, list)
    if (list.length >= MAX_ATTEMPTS_SHOWN) continue
    list.unshift({
      at,
      durationMs,
      request: request as Partial<SentRequest>,
      response: response as ReceivedResponse | null,
      error: sendErrorOf(error),
    })
  }
  return found
}
