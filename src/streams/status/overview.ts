import { and, count, desc, eq, gte, inArray, isNull, type SQL, sql } from 'drizzle-orm'
import { rollups, states, streams } from '../../../drizzle/schema.ts'
import { OWNER } from '../../auth/caller.ts'
import { STEPS_MS } from '../../core/measures.ts'
import { IN_TROUBLE, SEVERITY_ARRAY, type Status } from '../../core/sets/statuses.ts'
import { HOUR_MS } from '../../core/time.ts'
import { type IncidentRow, listIncidents, openIncidents } from '../../incidents/read.ts'
import type { Database } from '../../storage/storage.ts'
import { lastChangesIn } from '../measures/last-change.ts'
import { polledStepsOf, stepsOf } from '../measures/measures.ts'
import { readSavings, type ScopeSavings } from '../measures/savings.ts'
import { IS_SHARED } from '../registry/visibility.ts'
import { meanAvailability } from './refresh-availability.ts'
import { fleet } from './status.ts'

/** Rows of each list. */
const SHOWN = 8

/** Which streams an overview names and counts: all, or those that every caller sees. Its sums include all streams. */
export type Whose = 'all' | 'shared'

/** The past, minute by minute. */
export interface Past {
  /** Every minute of the last hour, oldest first, without the current one. */
  minutes: readonly {
    /** Events of event streams, and answered polls of others. */ messages: number
    errors: number
    wireBytes: number
  }[]
  /** What streaming saves over polling, in the last 24 hours; `undefined` without polls. */
  saved: ScopeSavings | undefined
  /** Mean availability of the last 24 hours, and of how many streams. */
  available: { share: number | null; streams: number }
  /** Streams that changed most often in the last hour. */
  changed: readonly { id: string; name: string; changes: number; lastAt: Date }[]
}

/** All of Weir at a glance. */
export interface Overview extends Past {
  streams: number
  statuses: Record<Status, number>
  /** Number of open incidents, and the newest of them. */
  incidents: { open: number; newest: readonly IncidentRow[] }
  /** Streams that most need attention, and how many there are. */
  troubled: { count: number; first: readonly Troubled[] }
}

export interface Troubled {
  id: string
  name: string
  status: Status
  reason: string
  since: Date
}

/** Reads the past: sums over every stream's minutes. Read it once for many viewers. */
export async function readPast(db: Database, now: number, whose: Whose): Promise<Past> {
  const [minutes, saved, available, changed] = await Promise.all([
    lastHour(db, now),
    lastDaySaved(db, now),
    meanAvailability(db),
    changedStreams(db, now, whose),
  ])
  return { minutes, saved, available, changed }
}

/** Reads the rest of the overview, which is current. */
export async function readOverview(db: Database, reading: Promise<Past>, whose: Whose): Promise<Overview> {
  const [past, { streams, statuses }, open, newest, troubled] = await Promise.all([
    reading,
    fleet(db, whose === 'all' ? OWNER : undefined),
    openIncidents(db),
    listIncidents(db, { state: 'open', limit: SHOWN }),
    troubledStreams(db, whose),
  ])
  return { ...past, streams, statuses, incidents: { open, newest: newest.items }, troubled }
}

async function lastHour(db: Database, now: number): Promise<Overview['minutes']> {
  const to = Math.floor(now / STEPS_MS.minute) * STEPS_MS.minute
  const from = to - HOUR_MS
  const span = { from: new Date(from), to: new Date(to), step: 'minute' } as const
  const [steps, polled] = await Promise.all([stepsOf(db, 'fleet', span), polledStepsOf(db, 'fleet', span)])
  const byMinute = new Map(steps.map((step) => [step.at.getTime(), step]))
  const polledBy = new Map(polled.map((step) => [step.at.getTime(), step]))
  return Array.from({ length: HOUR_MS / STEPS_MS.minute }, (_, index) => {
    const step = byMinute.get(from + index * STEPS_MS.minute)
    // A poll that found a change is an event, too, and a connection of an event stream is answered like a poll.
    const ofPolls = polledBy.get(from + index * STEPS_MS.minute)
    const messages = (step?.events ?? 0) - (ofPolls?.events ?? 0) + (ofPolls?.polls ?? 0)
    return { messages, errors: step?.errors ?? 0, wireBytes: step?.wireBytes ?? 0 }
  })
}

function lastDaySaved(db: Database, now: number): Promise<Overview['saved']> {
  return readSavings(db, 'fleet', { from: new Date(now - STEPS_MS.day), to: new Date(now) })
}

async function troubledStreams(db: Database, whose: Whose): Promise<Overview['troubled']> {
  const isTroubled = and(inArray(states.status, IN_TROUBLE), isNull(streams.twinOf), named(whose))
  const [all, rows] = await Promise.all([
    db
      .select({ count: count() })
      .from(states)
      .innerJoin(streams, eq(streams.id, states.streamId))
      .where(isTroubled),
    db
      .select({
        id: streams.id,
        name: streams.name,
        status: states.status,
        reason: states.statusReason,
        since: states.statusSince,
      })
      .from(states)
      .innerJoin(streams, eq(streams.id, states.streamId))
      .where(isTroubled)
      .orderBy(sql`array_position(${SEVERITY_ARRAY}::text[], ${states.status}) DESC`, states.statusSince)
      .limit(SHOWN),
  ])
  return { count: all[0]?.count ?? 0, first: rows }
}

async function changedStreams(db: Database, now: number, whose: Whose): Promise<Overview['changed']> {
  const changed = db
    .select({
      id: rollups.streamId,
      changes: sql<number>`sum(${rollups.changed}::float8)`.mapWith(Number).as('changes'),
      minute: sql<string>`max(${rollups.minute})`.as('minute'),
    })
    .from(rollups)
    .where(and(gte(rollups.minute, new Date(now - HOUR_MS)), sql`${rollups.changed} > 0`))
    .groupBy(rollups.streamId)
    .as('changed')
  const rows = await db
    .select({ id: changed.id, name: streams.name, changes: changed.changes, minute: changed.minute })
    .from(changed)
    .innerJoin(streams, eq(streams.id, changed.id))
    .where(named(whose))
    .orderBy(desc(changed.changes), streams.name)
    .limit(SHOWN)
  const minutes = rows.map(({ id, minute }) => ({ id, minute: new Date(minute) }))
  const last = await lastChangesIn(db, minutes)
  return rows.map(({ minute, ...row }) => ({ ...row, lastAt: last.get(row.id) ?? new Date(minute) }))
}

function named(whose: Whose): SQL | undefined {
  return whose === 'all' ? undefined : IS_SHARED
}
