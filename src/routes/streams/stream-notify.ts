import { and, eq, inArray } from 'drizzle-orm'
import { channels, deliveries } from '../../../drizzle/schema.ts'
import type { NotifyData, SentRow } from '../../../views/stream/notify.tsx'
import type { Notifier } from '../../channels/notifier.ts'
import { notifyResponsible, responsibleChannels } from '../../channels/notify.ts'
import { checkNotify } from '../../channels/registration.ts'
import { Problem } from '../../errors.ts'
import { isUuid } from '../../incidents/rules.ts'
import type { Database } from '../../storage/storage.ts'
import type { Stream } from '../../streams/ingest/run.ts'

/** Deliveries asked after at once; a message has one a channel. */
const MAX_DELIVERIES = 100

export interface NotifyDeps {
  db: Database
  notifier: Notifier
  now(): number
  self(): string
}

/** The form that notifies: who would be told. */
export async function notifyData(
  deps: Pick<NotifyDeps, 'db' | 'notifier'>,
  streamId: string,
): Promise<NotifyData> {
  const { told, suspended } = await responsibleChannels(deps, streamId)
  return { streamId, responsible: told, suspended }
}

/** Sends what the form says, and says what became of it; after a mistake, what is wrong. */
export async function sendNotice(
  deps: NotifyDeps,
  { id, name }: Pick<Stream, 'id' | 'name'>,
  message: string,
): Promise<{ data: NotifyData; status: number }> {
  const form = await notifyData(deps, id)
  try {
    const stream = { id, name, url: `${deps.self()}/streams/${id}` }
    const notified = await notifyResponsible(deps, stream, checkNotify({ message }))
    const ids = notified.channels.map(({ deliveryId }) => deliveryId)
    return { data: { ...form, sent: await sentRows(deps.db, id, ids) }, status: 200 }
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    return { data: { ...form, message, error: error.detail }, status: error.status }
  }
}

/** How deliveries of notices about a stream go; those that are of something else are left out. */
export async function sentRows(db: Database, streamId: string, ids: readonly string[]): Promise<SentRow[]> {
  const asked = ids.filter(isUuid).slice(0, MAX_DELIVERIES)
  if (asked.length === 0) return []
  const rows = await db
    .select({ delivery: deliveries, channel: channels.name })
    .from(deliveries)
    .innerJoin(channels, eq(channels.id, deliveries.channelId))
    .where(and(inArray(deliveries.id, asked), eq(deliveries.type, 'notify')))
    .orderBy(channels.name)
  return rows
    .filter(({ delivery }) => isAbout(delivery.message, streamId))
    .map(({ delivery: { id, channelId, status }, channel }) => ({
      deliveryId: id,
      channelId,
      channel,
      status,
    }))
}

function isAbout(message: unknown, streamId: string): boolean {
  const { streams = [] } = message as { streams?: readonly { id: string }[] }
  return streams.some(({ id }) => id === streamId)
}
