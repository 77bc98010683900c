import { and, asc, eq, inArray, isNotNull, isNull, or, sql } from 'drizzle-orm'
import { incidents, sharedAlarms, streams } from '../../../drizzle/schema.ts'
import { BACKOFF_CAP_MS } from '../../core/judging/backoff.ts'
import { type HostTally, isProvenElsewhere } from '../../core/judging/blame.ts'
import type { Database } from '../../storage/storage.ts'
import { BLAMES, type Cause, EXPLAINED, SHARED } from '../causes.ts'
import type { ToldIncident } from '../messages.ts'
import type { IsSilent } from '../silences.ts'
import type { EvaluationDeps } from './evaluate.ts'
import { EGRESS, HOST_KEY } from './shared-causes.ts'
import { streamsBehind, streamsOn, type TroubledStream, troubled } from './standing.ts'

/**
 * Maximum number of incidents considered for notification at a time, of each sort, including silenced ones; the
 * oldest first.
 */
const MAX_TOLD = 10_000
/** Longest wait for a sign of life elsewhere before an incident is sent anyway, in milliseconds. */
const HOLD_MS = 120_000
/** An incident that another one no longer explains may recover by itself: every stream is tried within this time. */
const RELEASED_MS = BACKOFF_CAP_MS
/** A time further ahead than the clocks of several machines differ was set before the clock went back. */
const AHEAD_MS = 60_000
/** Rows in a statement: Postgres takes 65,535 parameters. */
const ROWS_A_STATEMENT = 5_000

type Row = typeof incidents.$inferSelect

/** An incident that is due for a notification, with its streams that aren't silenced. */
export interface Due extends ToldIncident {
  row: Row
  streamIds: readonly string[]
}

/** What decides whether notifications go out now. */
export interface Circumstances {
  hosts: readonly HostTally[]
  isReachable: boolean | undefined
  isSilent: IsSilent
  now: number
}

/** Incidents without a notification: all of them, once the first has waited for others. */
export async function dueToOpen(
  deps: EvaluationDeps,
  { hosts, isReachable, isSilent, now }: Circumstances,
): Promise<Due[]> {
  const { db, settings } = deps
  const rows = await db
    .select()
    .from(incidents)
    .where(
      and(
        isNull(incidents.notifiedAt),
        or(isNull(incidents.resolvedAt), eq(incidents.cause, 'changed')),
        isNull(incidents.parentId),
        isNull(incidents.acknowledgedAt),
      ),
    )
    .orderBy(asc(incidents.openedAt))
    .limit(MAX_TOLD)
  const isHeld = await holding(db, hosts, isReachable, now)
  const ready = rows.filter((row) => !isHeld(row))
  if (!ready.some(({ openedAt }) => hasPassed(openedAt, settings.groupWaitMs, now))) return []
  const heard = await audible(deps, ready, isSilent, now)
  await dropSilentChanges(db, ready, heard, now)
  return heard
}

/** A change during a silence isn't sent when the silence ends: it is over. */
async function dropSilentChanges(db: Database, ready: readonly Row[], heard: readonly Due[], now: number) {
  const told = new Set(heard.map(({ id }) => id))
  const dropped = ready.filter(({ id, cause }) => cause === 'changed' && !told.has(id)).map(({ id }) => id)
  if (dropped.length === 0) return
  const at = new Date(now)
  await db
    .update(incidents)
    .set({ notifiedAt: at, resolvedNotifiedAt: at })
    .where(inArray(incidents.id, dropped))
}

/**
 * Incidents that another one may explain: their host or the outbound network may be down (the next evaluations decide),
 * or they began after the last sign of life from elsewhere, which the outbound network would explain too.
 */
async function holding(
  db: Database,
  hosts: readonly HostTally[],
  isReachable: boolean | undefined,
  now: number,
): Promise<(row: Row) => boolean> {
  const suspects = await db
    .select({ key: sharedAlarms.key })
    .from(sharedAlarms)
    .where(and(eq(sharedAlarms.isFiring, false), sql`${sharedAlarms.streak} > 0`))
  const keys = new Set(suspects.map(({ key }) => key))
  return ({ cause, host, evidence, openedAt }) => {
    const known = (evidence ?? {}) as { since?: number; provenAfter?: number; releasedAt?: number }
    const { since = openedAt.getTime(), provenAfter = since, releasedAt } = known
    if (releasedAt !== undefined && !hasPassed(new Date(releasedAt), RELEASED_MS, now)) return true
    const isExplainable = EXPLAINED.includes(cause as Cause)
    if (keys.has(EGRESS) && (isExplainable || cause === 'host')) return true
    if (isExplainable && host !== null && keys.has(HOST_KEY + host)) return true
    if (isReachable === true || host === null || !BLAMES.includes(cause as Cause)) return false
    return !hasPassed(openedAt, HOLD_MS, now) && !isProvenElsewhere(hosts, host, Math.min(provenAfter, now))
  }
}

/** Incidents that are open for long and that nobody acknowledged. */
export async function dueReminders(deps: EvaluationDeps, isSilent: IsSilent, now: number): Promise<Due[]> {
  const { db, settings } = deps
  const before = new Date(now - settings.remindMs).toISOString()
  const rows = await db
    .select()
    .from(incidents)
    .where(
      and(
        isNull(incidents.resolvedAt),
        isNull(incidents.acknowledgedAt),
        isNull(incidents.parentId),
        sql`coalesce(${incidents.remindedAt}, ${incidents.notifiedAt}) <= ${before}::timestamptz`,
      ),
    )
    .orderBy(asc(incidents.openedAt))
    .limit(MAX_TOLD)
  return audible(deps, rows, isSilent, now)
}

/** Resolved incidents whose opening was sent; during a silence they wait until it ends. */
export async function dueToEnd(deps: EvaluationDeps, isSilent: IsSilent, now: number): Promise<Due[]> {
  const { db, settings } = deps
  const rows = await db
    .select()
    .from(incidents)
    .where(
      and(
        isNotNull(incidents.resolvedAt),
        isNotNull(incidents.notifiedAt),
        isNull(incidents.resolvedNotifiedAt),
      ),
    )
    .orderBy(asc(incidents.resolvedAt))
    .limit(MAX_TOLD)
  if (!rows.some(({ resolvedAt }) => hasPassed(resolvedAt as Date, settings.groupWaitMs, now))) return []
  return audible(deps, rows, isSilent, now)
}

/** The incidents with their streams, without incidents whose streams are all silenced. */
async function audible(
  deps: EvaluationDeps,
  rows: readonly Row[],
  isSilent: IsSilent,
  now: number,
): Promise<Due[]> {
  const { db, url } = deps
  const isOngoing = ({ cause, resolvedAt }: Row) => resolvedAt === null && SHARED.includes(cause as Cause)
  const behind = rows.some(isOngoing) ? await troubled(db, now) : []
  const ids = new Map<string, readonly string[]>()
  for (const row of rows) {
    ids.set(row.id, row.streamId === null ? await behindOf(db, row, behind, isOngoing(row)) : [row.streamId])
  }
  const known = await streamsOf(db, [...new Set([...ids.values()].flat())])
  return rows.flatMap((row) => {
    const all = (ids.get(row.id) ?? []).flatMap((id) => known.get(id) ?? [])
    const heard = all.filter((stream) => !isSilent(stream))
    if (all.length > 0 ? heard.length === 0 : isSilent(undefined)) return []
    const links = heard.map(({ id, name }) => ({ id, name, url: `${url()}/streams/${id}` }))
    const affected = isOngoing(row) ? heard.length : row.affected
    return [{ ...row, affected, streams: links, row, streamIds: heard.map(({ id }) => id) }]
  })
}

/** The streams that an incident without one of its own is about. */
async function behindOf(
  db: Database,
  row: Row,
  failing: readonly TroubledStream[],
  isOngoing: boolean,
): Promise<readonly string[]> {
  if (isOngoing) return streamsBehind(failing, row)
  return row.cause === 'certificate' && row.host !== null ? streamsOn(db, row.host) : []
}

async function streamsOf(db: Database, ids: readonly string[]) {
  const found = new Map<string, { id: string; name: string; tags: string[] }>()
  for (let from = 0; from < ids.length; from += ROWS_A_STATEMENT) {
    const rows = await db
      .select({ id: streams.id, name: streams.name, tags: streams.tags })
      .from(streams)
      .where(inArray(streams.id, ids.slice(from, from + ROWS_A_STATEMENT)))
    for (const row of rows) found.set(row.id, row)
  }
  return found
}

/** Where the clock went back, waits start again from now: they would last until it has caught up. */
export async function reanchor(db: Database, now: number): Promise<void> {
  const ahead = new Date(now + AHEAD_MS).toISOString()
  await db
    .update(incidents)
    .set({ remindedAt: new Date(now) })
    .where(
      and(
        isNull(incidents.resolvedAt),
        sql`coalesce(${incidents.remindedAt}, ${incidents.notifiedAt}) > ${ahead}::timestamptz`,
      ),
    )
}

/** Whether a wait is over; one that starts in the future was set before the clock went back, and is over. */
function hasPassed(since: Date, waitMs: number, now: number): boolean {
  const elapsed = now - since.getTime()
  return elapsed >= waitMs || elapsed < -AHEAD_MS
}
