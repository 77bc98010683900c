import { and, eq, gt, sql } from 'drizzle-orm'
import { attempts, channels, deliveries } from '../../drizzle/schema.ts'
import type { Bus } from '../bus/bus.ts'
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../core/time.ts'
import type { Egress } from '../net/egress.ts'
import { transact } from '../storage/errors/sql-state.ts'
import type { Database } from '../storage/storage.ts'
import { type Channel, suspendChannel } from './channels.ts'
import { Deadline } from './deadline.ts'
import { masked, type SendError, type Sending } from './kind.ts'
import { channelKindOf } from './kinds.ts'
import type { StoredMessage } from './message.ts'

/**
 * Longest wait before each further attempt, in milliseconds; each is jittered down to anything from 0. They add up to
 * 47 h 51 min, so that on average the last attempt is made a day after the first.
 */
export const RETRY_DELAYS_MS: readonly number[] = [
  10 * SECOND_MS,
  MINUTE_MS,
  5 * MINUTE_MS,
  15 * MINUTE_MS,
  30 * MINUTE_MS,
  HOUR_MS,
  2 * HOUR_MS,
  4 * HOUR_MS,
  8 * HOUR_MS,
  16 * HOUR_MS,
  16 * HOUR_MS,
]
/** An attempt that takes longer has failed, in milliseconds. */
export const ATTEMPT_MS = 15_000
/** Maximum number of concurrent attempts for one channel, in all processes together; others wait. */
export const MAX_IN_FLIGHT = 4
/** How long beyond its timeout an attempt blocks other attempts, in milliseconds, so that its outcome can be stored. */
const CLAIM_SLACK_MS = 5_000
/** Wait for a busy channel, in milliseconds, for each {@link MAX_IN_FLIGHT} deliveries that wait for it. */
const BUSY_MS = 200
const MAX_BUSY_MS = 30_000

type Delivery = typeof deliveries.$inferSelect

/** How long to try. */
export interface DeliveryTimes {
  retryDelaysMs: readonly number[]
  attemptMs: number
}

export interface DelivererDeps {
  db: Database
  bus: Bus
  egress: Egress
  now(): number
  random(): number
  times?: DeliveryTimes
  /** Called with every attempt of a delivery. @param kind of the channel */
  attempted?(kind: string, sending: Sending): void
}

/** The input of an attempt. */
type Claim = { channel: Channel; delivery: Delivery } | { later: Date } | undefined

/** Makes the attempts: one at a time for each delivery, across all processes; publishes `channel.updated`. */
export class Deliverer {
  readonly #deps: DelivererDeps
  readonly #times: DeliveryTimes
  readonly #closing = new AbortController()

  constructor(deps: DelivererDeps) {
    this.#deps = deps
    this.#times = deps.times ?? { retryDelaysMs: RETRY_DELAYS_MS, attemptMs: ATTEMPT_MS }
  }

  /**
   * Makes an attempt, if one is due.
   * @returns when to check the delivery again; undefined when it has ended
   */
  async attempt(deliveryId: string): Promise<Date | undefined> {
    const next = await this.#attempt(deliveryId)
    this.#deps.bus.publish({ type: 'channel.updated' })
    return next
  }

  /** Sends a message now and stores nothing. The result holds no secrets. */
  async send({ kind: name, config }: Channel, message: StoredMessage, id: string): Promise<Sending> {
    const kind = channelKindOf(name)
    if (kind === undefined) {
      const error: SendError = { code: 'not_allowed', message: `Unknown channel kind ${name}.` }
      return { durationMs: 0, outcome: { result: 'failed', error } }
    }
    const { egress, now } = this.#deps
    const deadline = new Deadline(this.#times.attemptMs, this.#closing.signal)
    try {
      const tools = {
        id,
        at: new Date(now()),
        signal: deadline.signal,
        fetch: egress.fetch,
        resolve: (host: string, port: number, signal: AbortSignal) => egress.resolve(host, port, signal),
      }
      return masked(
        await Promise.race([kind.send(config, message, tools), deadline.overrun]),
        kind.masks(config),
      )
    } finally {
      deadline.clear()
    }
  }

  /** Ends running attempts: they count as failed and are retried by another process. */
  close(): void {
    this.#closing.abort({
      code: 'interrupted',
      message: 'Weir shut down during the attempt.',
    } satisfies SendError)
  }

  async #attempt(deliveryId: string): Promise<Date | undefined> {
    const claim = await this.#claim(deliveryId)
    if (claim === undefined) return undefined
    if ('later' in claim) return claim.later
    const { channel, delivery } = claim
    const sending = await this.send(channel, delivery.message as StoredMessage, delivery.id)
    this.#deps.attempted?.(channel.kind, sending)
    return this.#record(delivery, sending)
  }

  #claim(id: string): Promise<Claim> {
    const { db } = this.#deps
    const now = this.#deps.now()
    return transact(db, async (tx): Promise<Claim> => {
      const found = await locked(tx, id)
      if (found === undefined || found.delivery.status !== 'pending') return undefined
      const { channel, delivery } = found
      if (channel.suspendedAt !== null) {
        await tx
          .update(deliveries)
          .set({ status: 'cancelled', nextAttemptAt: null, endedAt: new Date(now) })
          .where(eq(deliveries.id, id))
        return undefined
      }
      const { sendingUntil, nextAttemptAt } = delivery
      if (sendingUntil !== null && sendingUntil.getTime() > now) return { later: sendingUntil }
      if (nextAttemptAt !== null && nextAttemptAt.getTime() > now) return { later: nextAttemptAt }
      const busyMs = await this.#busyMs(tx, channel.id, new Date(now))
      if (busyMs !== undefined) {
        const later = new Date(now + busyMs)
        await tx.update(deliveries).set({ nextAttemptAt: later }).where(eq(deliveries.id, id))
        return { later }
      }
      const until = new Date(now + this.#times.attemptMs + CLAIM_SLACK_MS)
      const [claimed] = await tx
        .update(deliveries)
        .set({ sendingUntil: until, attempts: delivery.attempts + 1 })
        .where(eq(deliveries.id, id))
        .returning()
      return claimed && { channel, delivery: claimed }
    })
  }

  /** How long to wait for a busy channel: longer the more deliveries wait. */
  async #busyMs(tx: Database, channelId: string, now: Date): Promise<number | undefined> {
    const ofChannel = and(eq(deliveries.channelId, channelId), eq(deliveries.status, 'pending'))
    const [counts] = await tx
      .select({
        waiting: sql`count(*)`.mapWith(Number),
        sending: sql`count(*) FILTER (WHERE ${gt(deliveries.sendingUntil, now)})`.mapWith(Number),
      })
      .from(deliveries)
      .where(ofChannel)
    if (counts === undefined || counts.sending < MAX_IN_FLIGHT) return undefined
    const waitMs = Math.min(MAX_BUSY_MS, BUSY_MS * Math.ceil(counts.waiting / MAX_IN_FLIGHT))
    return Math.round(waitMs * (0.5 + this.#deps.random()))
  }

  #record({ id, attempts: attempt }: Delivery, sending: Sending): Promise<Date | undefined> {
    const { db } = this.#deps
    const now = new Date(this.#deps.now())
    return transact(db, async (tx) => {
      const found = await locked(tx, id)
      if (found === undefined) return undefined
      await tx.insert(attempts).values(attemptOf(id, sending, now))
      const { delivery, channel } = found
      const { outcome } = sending
      // Cancelled or taken over meanwhile: the stored status stands, unless the message was delivered.
      const isOurs = delivery.status === 'pending' && delivery.attempts === attempt
      if (!isOurs && outcome.result !== 'delivered') return undefined
      const next =
        outcome.result === 'retry' ? this.#nextAttempt(attempt, outcome.retryAfterMs, now) : undefined
      const set =
        next === undefined
          ? {
              status: outcome.result === 'delivered' ? ('delivered' as const) : ('failed' as const),
              endedAt: now,
            }
          : {}
      await tx
        .update(deliveries)
        .set({ ...set, nextAttemptAt: next ?? null, sendingUntil: null })
        .where(eq(deliveries.id, id))
      if (outcome.result === 'gone') await suspendChannel(tx, channel.id, outcome.error.message, now)
      return next
    })
  }

  /** Full jitter, but never sooner than the receiver asks for; undefined after the last attempt. */
  #nextAttempt(attempt: number, retryAfterMs = 0, now: Date): Date | undefined {
    const ceilingMs = this.#times.retryDelaysMs[attempt - 1]
    if (ceilingMs === undefined) return undefined
    const waitMs = Math.max(retryAfterMs, Math.round(this.#deps.random() * ceilingMs))
    return new Date(now.getTime() + waitMs)
  }
}

/** An attempt as it is stored. */
export function attemptOf(deliveryId: string, { request, response, durationMs, outcome }: Sending, at: Date) {
  return {
    id: Bun.randomUUIDv7(),
    deliveryId,
    at,
    durationMs,
    request: request ?? {},
    response: response ?? null,
    error: outcome.result === 'delivered' ? null : JSON.stringify(outcome.error),
  }
}

/** A delivery and its channel; the channel stays locked, so that its count of attempts holds. */
async function locked(
  tx: Database,
  id: string,
): Promise<{ delivery: Delivery; channel: Channel } | undefined> {
  const [row] = await tx
    .select({ channelId: deliveries.channelId })
    .from(deliveries)
    .where(eq(deliveries.id, id))
  if (row === undefined) return undefined
  const [channel] = await tx
    .select()
    .from(channels)
    .where(eq(channels.id, row.channelId))
    .for('no key update')
  const [delivery] = await tx.select().from(deliveries).where(eq(deliveries.id, id))
  return channel && delivery && { delivery, channel }
}
