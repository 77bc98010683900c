import { and, count, desc, eq, gte, inArray, isNull, type SQL, sql } from 'drizzle-orm'
import { rollups, states, streams } from '../../../drizzle/schema.ts'
import { OWNER } from '../../auth/caller.ts'
import type { Verdict } from '../../core/judging/verdict.ts'
import { type Baselines, type Shares, STEPS_MS, savings } from '../../core/measures.ts'
import { type IncidentRow, listIncidents, openIncidents } from '../../incidents/read.ts'
import type { Database } from '../../storage/storage.ts'
import { connectionsOf, polledSumsOf, stepsOf } from '../measures/measures.ts'
import { IS_SHARED } from '../registry/visibility.ts'
import { fleet } from './status.ts'

/** Looked back for rates and changes, in milliseconds. */
const HOUR_MS = STEPS_MS.hour
/** Lines of each list. */
const SHOWN = 8
/** Verdicts that somebody should look at, the worst first. */
const TROUBLED = ['dead', 'stalled', 'backing-off'] as const satisfies Verdict[]

/** What an overview names and counts: all streams, or those that every caller sees. Its sums are of all. */
export type Whose = 'all' | 'shared'

/** What was, by the minute. */
export interface Past {
  /** Every minute of the last hour, the oldest first; the one under way is left out. */
  minutes: readonly { messages: number; errors: number; wireBytes: number }[]
  /** What streaming saves over plain polling, by the last 24 hours; `undefined` while nothing was polled. */
  saved: { baselines: Baselines; streamingBytes: number; shares: Shares } | undefined
  /** Streams that changed most often in the last hour. */
  changed: readonly { id: string; name: string; changes: number; lastAt: Date }[]
}

/** All of a Weir in one look. */
export interface Overview extends Past {
  streams: number
  verdicts: Record<Verdict, number>
  /** How many problems are open, and the newest of them. */
  incidents: { open: number; newest: readonly IncidentRow[] }
  /** Streams that most need somebody to look, and how many there are. */
  troubled: { count: number; first: readonly Troubled[] }
}

export interface Troubled {
  id: string
  name: string
  verdict: Verdict
  reason: string
  since: Date
}

/** Reads what was: sums over every stream's minutes, so whoever shows it to many reads it once for all. */
export async function readPast(db: Database, now: number, whose: Whose): Promise<Past> {
  const [minutes, saved, changed] = await Promise.all([
    lastHour(db, now),
    lastDaySaved(db, now),
    changedStreams(db, now, whose),
  ])
  return { minutes, saved, changed }
}

/** Reads the rest of the overview, which is as of now. */
export async function readOverview(db: Database, reading: Promise<Past>, whose: Whose): Promise<Overview> {
  const [past, { streams, verdicts }, open, newest, troubled] = await Promise.all([
    reading,
    fleet(db, whose === 'all' ? OWNER : undefined),
    openIncidents(db),
    listIncidents(db, { state: 'open', limit: SHOWN }),
    troubledStreams(db, whose),
  ])
  return { ...past, streams, verdicts, incidents: { open, newest: newest.items }, troubled }
}

async function lastHour(db: Database, now: number): Promise<Overview['minutes']> {
  const to = Math.floor(now / STEPS_MS.minute) * STEPS_MS.minute
  const from = to - HOUR_MS
  const steps = await stepsOf(db, 'fleet', { from: new Date(from), to: new Date(to), step: 'minute' })
  const byMinute = new Map(steps.map((step) => [step.at.getTime(), step]))
  return Array.from({ length: HOUR_MS / STEPS_MS.minute }, (_, index) => {
    const step = byMinute.get(from + index * STEPS_MS.minute)
    const messages = (step?.events ?? 0) + (step?.polls ?? 0)
    return { messages, errors: step?.errors ?? 0, wireBytes: step?.wireBytes ?? 0 }
  })
}

async function lastDaySaved(db: Database, now: number): Promise<Overview['saved']> {
  const window = { from: new Date(now - STEPS_MS.day), to: new Date(now) }
  const [sums, connections] = await Promise.all([
    polledSumsOf(db, 'fleet', window),
    connectionsOf(db, 'fleet', window),
  ])
  const saved = savings({ ...sums, ...connections })
  if (saved === null) return undefined
  const { baselines, streaming, clientBandwidthSavings: shares } = saved
  return { baselines, streamingBytes: streaming.plain.bytes, shares }
}

async function troubledStreams(db: Database, whose: Whose): Promise<Overview['troubled']> {
  const isTroubled = and(inArray(states.verdict, [...TROUBLED]), isNull(streams.twinOf), named(whose))
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
        verdict: states.verdict,
        reason: states.verdictReason,
        since: states.verdictSince,
      })
      .from(states)
      .innerJoin(streams, eq(streams.id, states.streamId))
      .where(isTroubled)
      .orderBy(
        sql`array_position(${`{${TROUBLED.join(',')}}`}::text[], ${states.verdict})`,
        states.verdictSince,
      )
      .limit(SHOWN),
  ])
  const first = rows.map((row) => ({ ...row, verdict: row.verdict as Verdict }))
  return { count: all[0]?.count ?? 0, first }
}

async function changedStreams(db: Database, now: number, whose: Whose): Promise<Overview['changed']> {
  const changed = db
    .select({
      id: rollups.streamId,
      changes: sql<number>`sum(${rollups.changed}::float8)`.mapWith(Number).as('changes'),
      lastAt: sql<string>`max(${rollups.minute})`.as('last_at'),
    })
    .from(rollups)
    .where(and(gte(rollups.minute, new Date(now - HOUR_MS)), sql`${rollups.changed} > 0`))
    .groupBy(rollups.streamId)
    .as('changed')
  const rows = await db
    .select({ id: changed.id, name: streams.name, changes: changed.changes, lastAt: changed.lastAt })
    .from(changed)
    .innerJoin(streams, eq(streams.id, changed.id))
    .where(named(whose))
    .orderBy(desc(changed.changes), streams.name)
    .limit(SHOWN)
  return rows.map((row) => ({ ...row, lastAt: new Date(row.lastAt) }))
}

function named(whose: Whose): SQL | undefined {
  return whose === 'all' ? undefined : IS_SHARED
}
