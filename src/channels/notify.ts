import { inArray } from 'drizzle-orm'
import { attempts, channels, deliveries } from '../../drizzle/schema.ts'
import type { Bus } from '../bus/bus.ts'
import { Problem } from '../errors.ts'
import { transact } from '../storage/errors/sql-state.ts'
import type { Database } from '../storage/storage.ts'
import type { Channel } from './channels.ts'
import { attemptOf, type Deliverer } from './deliverer.ts'
import type { Sending } from './kind.ts'
import { type Message, type StreamLink, storedMessage } from './message.ts'
import type { Notifier } from './notifier.ts'

export interface Notified {
  /** The channels to notify. */
  channels: { id: string; name: string; kind: string; deliveryId: string }[]
  /** Suspended channels that would have been notified. */
  suspended: { id: string; name: string; reason: string | null }[]
}

/** The channels responsible for a stream, active and suspended. */
export async function responsibleChannels(
  { db, notifier }: { db: Database; notifier: Notifier },
  streamId: string,
): Promise<{ told: Channel[]; suspended: Channel[] }> {
  const [active, all] = await Promise.all([
    notifier.responsible([streamId]),
    notifier.responsibleOrSuspended([streamId]),
  ])
  const named = await channelsOf(db, [...new Set([...active.keys(), ...all.keys()])])
  return {
    told: named.filter(({ id }) => active.has(id)),
    suspended: named.filter(({ suspendedAt }) => suspendedAt !== null),
  }
}

/**
 * Notifies the channels responsible for a stream now.
 * @throws Problem `conflict` if there are none, with what to do about it
 */
export async function notifyResponsible(
  { db, notifier, now }: { db: Database; notifier: Notifier; now(): number },
  stream: StreamLink,
  text: string,
): Promise<Notified> {
  const { told, suspended } = await responsibleChannels({ db, notifier }, stream.id)
  if (told.length === 0) throw nobody(stream, suspended)
  const message: Message = {
    type: 'notify',
    title: `About ${stream.name}`,
    text,
    at: new Date(now()),
    severity: 'info',
    url: stream.url,
    streams: [stream],
  }
  const stored = await notifier.store(
    db,
    message,
    told.map(({ id }) => id),
  )
  notifier.deliver(stored)
  const deliveryOf = new Map(stored.map(({ id, channelId }) => [channelId, id]))
  return {
    channels: told.flatMap(({ id, name, kind }) => {
      const deliveryId = deliveryOf.get(id)
      return deliveryId === undefined ? [] : [{ id, name, kind, deliveryId }]
    }),
    suspended: suspended.map(({ id, name, suspendedReason }) => ({ id, name, reason: suspendedReason })),
  }
}

/** One attempt, made while the caller waits, and never retried. */
export interface Tried extends Sending {
  deliveryId: string
}

/** Sends a message to a channel now, suspended or not, and stores it among its deliveries. */
export async function tryChannel(
  { db, bus, deliverer, now }: { db: Database; bus: Bus; deliverer: Deliverer; now(): number },
  channel: Channel,
  text: string,
  url: string,
): Promise<Tried> {
  const createdAt = new Date(now())
  const message = storedMessage({
    type: 'test',
    title: `Test message to ${channel.name}`,
    text,
    at: createdAt,
    severity: 'info',
    url,
    streams: [],
  })
  const deliveryId = Bun.randomUUIDv7('hex', createdAt)
  const sending = await deliverer.send(channel, message, deliveryId)
  const isDelivered = sending.outcome.result === 'delivered'
  const endedAt = new Date(now())
  await transact(db, async (tx) => {
    const [known] = await channelsOf(tx, [channel.id])
    // Removed during the attempt.
    if (known === undefined) return
    await tx.insert(deliveries).values({
      id: deliveryId,
      channelId: channel.id,
      type: message.type,
      message,
      status: isDelivered ? 'delivered' : 'failed',
      attempts: 1,
      createdAt,
      endedAt,
    })
    await tx.insert(attempts).values(attemptOf(deliveryId, sending, createdAt))
  })
  bus.publish({ type: 'channel.updated' })
  return { ...sending, deliveryId }
}

function channelsOf(db: Database, ids: readonly string[]): Promise<Channel[]> {
  if (ids.length === 0) return Promise.resolve([])
  return db
    .select()
    .from(channels)
    .where(inArray(channels.id, [...ids]))
    .orderBy(channels.name)
}

function nobody({ name }: StreamLink, suspended: readonly Channel[]): Problem {
  if (suspended.length > 0) {
    const names = suspended.map((channel) => channel.name).join(', ')
    const detail = `No one was notified about ${name}: ${suspended.length === 1 ? 'its channel' : 'its channels'} ${names} ${suspended.length === 1 ? 'is' : 'are'} suspended. Resume one, or name another in the stream's \`notify\`.`
    return new Problem('conflict', detail)
  }
  const detail = `No channel is responsible for ${name}. Name channels in its \`notify\`, give a channel one of its tags, or make a channel the default.`
  return new Problem('conflict', detail)
}
