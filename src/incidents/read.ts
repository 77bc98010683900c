import { and, asc, count, desc, eq, inArray, isNotNull, isNull, lt, or, type SQL, sql } from 'drizzle-orm'
import { channels, deliveries, incidentEvents, incidents, streams } from '../../drizzle/schema.ts'
import { isUuid } from '../core/uuid.ts'
import { Problem } from '../errors.ts'
import { transact } from '../storage/errors/sql-state.ts'
import type { Database } from '../storage/storage.ts'
import { IS_SHARED, isSharedAs } from '../streams/registry/visibility.ts'
import type { Changes } from './rules.ts'

export type IncidentRow = typeof incidents.$inferSelect

export const INCIDENT_STATES = ['open', 'acknowledged', 'resolved'] as const
export type IncidentState = (typeof INCIDENT_STATES)[number]

export interface IncidentQuery {
  state?: IncidentState
  /** ID of a stream. */
  stream?: string
  /** Only incidents that this one explains; omitted: only those that no other explains. */
  parent?: string
  /** ID of the last incident on the page before. */
  after?: string
  limit: number
}

/** Something that happened to an incident, for people. */
export interface TimelineItem {
  at: Date
  kind: 'opened' | 'worsened' | 'told' | 'reminded' | 'acknowledged' | 'resolved' | 'over'
  note: string | null
  channel: { id: string; name: string | null } | null
  delivery: { id: string; status: string | null; attempts: number | null } | null
}

/** Maximum number of timeline items read for an incident: the first ones. */
const MAX_TIMELINE = 500
/** Hides incidents of private streams that an earlier version opened, as it hides those streams. */
const IS_SHOWN = sql`NOT EXISTS (
  SELECT FROM ${streams} AS stream WHERE stream.id = ${incidents.streamId} AND NOT ${isSharedAs('stream')})`

export function stateOf({ resolvedAt, acknowledgedAt }: IncidentRow): IncidentState {
  if (resolvedAt !== null) return 'resolved'
  return acknowledgedAt === null ? 'open' : 'acknowledged'
}

/** A page of incidents, newest first, and the cursor of the next. */
export async function listIncidents(
  db: Database,
  query: IncidentQuery,
): Promise<{ items: IncidentRow[]; next: string | undefined }> {
  const rows = await db
    .select()
    .from(incidents)
    .where(matching(query))
    .orderBy(desc(incidents.id))
    .limit(query.limit + 1)
  const items = rows.slice(0, query.limit)
  return { items, next: rows.length > query.limit ? items.at(-1)?.id : undefined }
}

/** @throws Problem `not_found` */
export async function getIncident(db: Database, id: string): Promise<IncidentRow> {
  const [incident] = isUuid(id)
    ? await db
        .select()
        .from(incidents)
        .where(and(eq(incidents.id, id), IS_SHOWN))
    : []
  if (incident === undefined) throw new Problem('not_found', `No incident has the ID ${id.slice(0, 64)}.`)
  return incident
}

/** How many open incidents no other explains: the number to show people. */
export async function openIncidents(db: Database): Promise<number> {
  const [row] = await db
    .select({ count: count() })
    .from(incidents)
    .where(and(isNull(incidents.resolvedAt), isNull(incidents.parentId), IS_SHOWN))
  return row?.count ?? 0
}

/** What happened to an incident, in order. */
export async function incidentTimelineOf(db: Database, incident: IncidentRow): Promise<TimelineItem[]> {
  const events = await db
    .select({
      event: incidentEvents,
      name: channels.name,
      status: deliveries.status,
      attempts: deliveries.attempts,
    })
    .from(incidentEvents)
    .leftJoin(channels, eq(channels.id, incidentEvents.channelId))
    .leftJoin(deliveries, eq(deliveries.id, incidentEvents.deliveryId))
    .where(eq(incidentEvents.incidentId, incident.id))
    .orderBy(asc(incidentEvents.at), asc(incidentEvents.id))
    .limit(MAX_TIMELINE)
  const plain = { note: null, channel: null, delivery: null }
  const items: TimelineItem[] = [
    { ...plain, at: incident.openedAt, kind: 'opened', note: incident.detail },
    ...events.map(({ event, name, status, attempts }) => ({
      at: event.at,
      kind: event.kind,
      note: event.note,
      channel: event.channelId === null ? null : { id: event.channelId, name },
      delivery: event.deliveryId === null ? null : { id: event.deliveryId, status, attempts },
    })),
  ]
  if (incident.resolvedAt !== null) items.push({ ...plain, at: incident.resolvedAt, kind: 'resolved' })
  return items.sort((a, b) => a.at.getTime() - b.at.getTime())
}

export interface Acknowledgement {
  by: string
  note?: string
}

/**
 * Records who handles an incident and ends its reminders. When acknowledged again, the last one counts.
 * @throws Problem `not_found`, `conflict` when it is resolved
 */
export async function acknowledge(
  { db, bus }: Changes,
  id: string,
  { by, note }: Acknowledgement,
  now: number,
): Promise<IncidentRow> {
  await getIncident(db, id)
  const at = new Date(now)
  const acknowledged = await transact(db, async (tx) => {
    const [incident] = await tx
      .update(incidents)
      .set({ acknowledgedAt: at, acknowledgedBy: by })
      .where(and(eq(incidents.id, id), isNull(incidents.resolvedAt)))
      .returning()
    if (incident === undefined) throw new Problem('conflict', 'The incident is already resolved.')
    const said = note ? `${by}: ${note}` : by
    await tx
      .insert(incidentEvents)
      .values({ id: Bun.randomUUIDv7(), incidentId: id, at, kind: 'acknowledged', note: said })
    return incident
  })
  bus.publish({ type: 'incident.updated' })
  return acknowledged
}

/** The names of the shared streams that still exist. */
export async function streamNames(
  db: Database,
  ids: readonly (string | null)[],
): Promise<Map<string, string>> {
  const known = ids.filter((id) => id !== null)
  if (known.length === 0) return new Map()
  const rows = await db
    .select({ id: streams.id, name: streams.name })
    .from(streams)
    .where(and(inArray(streams.id, known), IS_SHARED))
  return new Map(rows.map(({ id, name }) => [id, name]))
}

function matching({ state, stream, parent, after }: IncidentQuery): SQL | undefined {
  if (stream !== undefined && !isUuid(stream)) return sql`false`
  if (parent !== undefined && !isUuid(parent)) return sql`false`
  const states = {
    open: and(isNull(incidents.resolvedAt), isNull(incidents.acknowledgedAt)),
    acknowledged: and(isNull(incidents.resolvedAt), isNotNull(incidents.acknowledgedAt)),
    resolved: isNotNull(incidents.resolvedAt),
  }
  return and(
    IS_SHOWN,
    state && states[state],
    stream === undefined ? undefined : eq(incidents.streamId, stream),
    parent !== undefined
      ? eq(incidents.parentId, parent)
      : stream === undefined
        ? or(isNull(incidents.parentId), isNotNull(incidents.notifiedAt))
        : undefined,
    after === undefined ? undefined : isUuid(after) ? lt(incidents.id, after) : sql`false`,
  )
}
