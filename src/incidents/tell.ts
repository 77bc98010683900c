import { and, asc, eq, inArray, isNotNull, isNull, or, type SQL, sql } from 'drizzle-orm'
import { incidentEvents, incidents, sharedAlarms, streams } from '../../drizzle/schema.ts'
import type { Queued } from '../channels/notifier.ts'
import { BACKOFF_CAP_MS } from '../core/backoff.ts'
import { type HostTally, isProvenElsewhere } from '../core/blame.ts'
import type { Database } from '../storage/storage.ts'
import { BLAMES, type Cause, EXPLAINED, SHARED } from './causes.ts'
import type { LookDeps } from './look.ts'
import { messageOf, type Telling, type ToldIncident } from './messages.ts'
import { EGRESS, HOST_KEY } from './shared.ts'
import { type IsSilent, silencing } from './silences.ts'
import { streamsBehind, troubled } from './standing.ts'

/** Incidents looked at for telling at a time, of each sort, silent ones among them: the oldest. */
const MAX_TOLD = 10_000
/** Names the lock among the database's advisory locks: two that tell the same would wait for each other. */
const TELL_LOCK = 7_743_003
/** Longest wait for a sign of life elsewhere before an incident is told of all the same, in milliseconds. */
const HOLD_MS = 120_000
/** What another incident explained until just now comes back by itself, or not: every stream is tried within this. */
const RELEASED_MS = BACKOFF_CAP_MS
/** A time that lies further ahead than clocks of several machines differ was set before the clock went back. */
const AHEAD_MS = 60_000
/** Rows in a statement: Postgres takes 65,535 parameters. */
const ROWS_A_STATEMENT = 5_000

type Row = typeof incidents.$inferSelect

/** What one channel, or several alike, are told at once. */
interface Plan {
  telling: Telling
  channelIds: string[]
  list: Due[]
}

/** An incident that people are to be told of, with the streams it is about that aren't silent. */
interface Due extends ToldIncident {
  row: Row
  streamIds: readonly string[]
}

/** Somebody else told of it, or it changed: what was planned no longer holds. */
class Overtaken extends Error {}

/**
 * Tells people of incidents that opened, that are still open after a while, and that are over: what is due at one time
 * in one message a channel. An incident is marked as told in the transaction that stores the deliveries; whoever finds
 * it marked already gives up all of the message, and the next look plans anew.
 */
export async function tell(
  deps: LookDeps,
  hosts: readonly HostTally[],
  isReachable: boolean | undefined,
): Promise<void> {
  const { db, notifier } = deps
  const now = deps.now()
  const isSilent = await silencing(db, now)
  await reanchor(db, now)
  const due: Record<Telling, Due[]> = {
    opened: await dueToOpen(deps, { hosts, isReachable, isSilent, now }),
    reminded: await audible(deps, await dueReminders(deps, now), isSilent, now),
    resolved: await dueToEnd(deps, isSilent, now),
  }
  const plans = [
    ...(await byResponsible(deps, 'opened', due.opened)),
    ...(await byResponsible(deps, 'reminded', due.reminded)),
    ...(await byTold(db, 'resolved', due.resolved)),
  ]
  if (due.opened.length + due.reminded.length + due.resolved.length === 0) return
  try {
    const stored = await db.transaction(async (tx) => {
      await tx.execute(sql`SELECT pg_advisory_xact_lock(${TELL_LOCK})`)
      for (const telling of ['opened', 'reminded', 'resolved'] as const)
        await claim(tx, telling, due[telling], now)
      await noteUntold(tx, due.opened, plans, now)
      const queued: Queued[] = []
      for (const plan of plans) queued.push(...(await carryOut(deps, tx, plan, now)))
      return queued
    })
    notifier.deliver(stored)
  } catch (error) {
    if (!(error instanceof Overtaken)) throw error
  }
}

interface Circumstances {
  hosts: readonly HostTally[]
  isReachable: boolean | undefined
  isSilent: IsSilent
  now: number
}

/** Those that nobody was told of: once the first has waited for others, all of them. */
async function dueToOpen(
  deps: LookDeps,
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

/** A change that came in a silence is not told when that ends: it is over. */
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
 * Incidents that may turn out to be another's: of a host, or the way out, that may be down (the next looks tell), and
 * those that began when nothing has been heard from elsewhere since, which the way out would explain too.
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
    const { since = openedAt.getTime(), releasedAt } = (evidence ?? {}) as {
      since?: number
      releasedAt?: number
    }
    if (releasedAt !== undefined && !hasPassed(new Date(releasedAt), RELEASED_MS, now)) return true
    const isExplainable = EXPLAINED.includes(cause as Cause)
    if (keys.has(EGRESS) && (isExplainable || cause === 'host')) return true
    if (isExplainable && host !== null && keys.has(HOST_KEY + host)) return true
    if (isReachable === true || host === null || !BLAMES.includes(cause as Cause)) return false
    return !hasPassed(openedAt, HOLD_MS, now) && !isProvenElsewhere(hosts, host, Math.min(since, now))
  }
}

function dueReminders({ db, settings }: LookDeps, now: number): Promise<Row[]> {
  const before = new Date(now - settings.remindMs).toISOString()
  return db
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
}

/** Those that people were told of and that are over; in a silence they wait for its end. */
async function dueToEnd(deps: LookDeps, isSilent: IsSilent, now: number): Promise<Due[]> {
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

/** The incidents with their streams, those left out that are silent with all their streams. */
async function audible(
  deps: LookDeps,
  rows: readonly Row[],
  isSilent: IsSilent,
  now: number,
): Promise<Due[]> {
  const { db, url } = deps
  const isOngoing = ({ cause, resolvedAt }: Row) => resolvedAt === null && SHARED.includes(cause as Cause)
  const behind = rows.some(isOngoing) ? await troubled(db, now) : []
  const ids = new Map<string, readonly string[]>()
  for (const row of rows) {
    const of = isOngoing(row) ? streamsBehind(behind, row) : []
    ids.set(row.id, row.streamId === null ? of : [row.streamId])
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

/** To those who are responsible for its streams by now; a reminder also finds those who were not when it opened. */
async function byResponsible(
  { notifier, db }: LookDeps,
  telling: Telling,
  due: readonly Due[],
): Promise<Plan[]> {
  if (due.length === 0) return []
  const responsible = await notifier.responsible([...new Set(due.flatMap(({ streamIds }) => streamIds))])
  const told = telling === 'reminded' ? await toldChannels(db, due) : new Map<string, string[]>()
  const channels = new Map<string, Due[]>()
  for (const [channelId, ids] of responsible) {
    const own = new Set(ids)
    channels.set(
      channelId,
      due.filter(({ streamIds }) => streamIds.some((id) => own.has(id))),
    )
  }
  for (const incident of due) {
    for (const channelId of told.get(incident.id) ?? []) {
      const list = channels.get(channelId) ?? []
      if (!list.includes(incident)) channels.set(channelId, [...list, incident])
    }
  }
  return grouped(telling, channels)
}

/** To exactly those who were told that it opened, whoever is responsible by now. */
async function byTold(db: Database, telling: Telling, due: readonly Due[]): Promise<Plan[]> {
  if (due.length === 0) return []
  const told = await toldChannels(db, due)
  const channels = new Map<string, Due[]>()
  for (const incident of due) {
    for (const channelId of told.get(incident.id) ?? []) {
      channels.set(channelId, [...(channels.get(channelId) ?? []), incident])
    }
  }
  return grouped(
    telling,
    new Map([...channels].map(([id, list]) => [id, list.filter(({ cause }) => cause !== 'changed')])),
  )
}

async function toldChannels(db: Database, due: readonly Due[]): Promise<Map<string, string[]>> {
  const rows = await db
    .selectDistinct({ id: incidentEvents.incidentId, channelId: incidentEvents.channelId })
    .from(incidentEvents)
    .where(
      and(
        inArray(
          incidentEvents.incidentId,
          due.map(({ id }) => id),
        ),
        inArray(incidentEvents.kind, ['told', 'reminded']),
        isNotNull(incidentEvents.channelId),
      ),
    )
  const told = Map.groupBy(rows, ({ id }) => id)
  return new Map([...told].map(([id, list]) => [id, list.map(({ channelId }) => channelId as string)]))
}

/** Channels that are told the same share a message. */
function grouped(telling: Telling, channels: ReadonlyMap<string, readonly Due[]>): Plan[] {
  const plans = new Map<string, Plan>()
  for (const [channelId, list] of channels) {
    if (list.length === 0) continue
    const key = list.map(({ id }) => id).join()
    const plan = plans.get(key) ?? { telling, channelIds: [], list: [...list] }
    plan.channelIds.push(channelId)
    plans.set(key, plan)
  }
  return [...plans.values()]
}

/** Marks incidents as told. @throws Overtaken when one is marked already or has changed */
async function claim(tx: Database, telling: Telling, due: readonly Due[], now: number): Promise<void> {
  if (due.length === 0) return
  const at = new Date(now)
  const ids = due.map(({ id }) => id)
  const [set, still]: [Partial<Row>, SQL | undefined] = {
    opened: [
      { notifiedAt: at },
      and(isNull(incidents.notifiedAt), or(isNull(incidents.resolvedAt), eq(incidents.cause, 'changed'))),
    ],
    reminded: [
      { remindedAt: at },
      and(isNull(incidents.resolvedAt), isNull(incidents.acknowledgedAt), asPlanned(due)),
    ],
    resolved: [{ resolvedNotifiedAt: at }, isNull(incidents.resolvedNotifiedAt)],
  }[telling] as [Partial<Row>, SQL | undefined]
  const claimed = await tx
    .update(incidents)
    .set(set)
    .where(and(inArray(incidents.id, ids), still))
    .returning({ id: incidents.id })
  if (claimed.length !== ids.length) throw new Overtaken()
  if (telling !== 'opened') return
  const changes = due.filter(({ cause }) => cause === 'changed').map(({ id }) => id)
  if (changes.length === 0) return
  await tx.update(incidents).set({ resolvedNotifiedAt: at }).where(inArray(incidents.id, changes))
}

/** Nobody has reminded of them since. */
function asPlanned(due: readonly Due[]): SQL {
  const last = due.map(({ id, row }) => ({ id, at: (row.remindedAt ?? row.notifiedAt)?.toISOString() }))
  return sql`(${incidents.id}, coalesce(${incidents.remindedAt}, ${incidents.notifiedAt})) IN (
    SELECT id, at FROM json_to_recordset(${JSON.stringify(last)}::json) AS row(id uuid, at timestamptz))`
}

async function carryOut(deps: LookDeps, tx: Database, plan: Plan, now: number): Promise<Queued[]> {
  const { telling, channelIds, list } = plan
  const queued = await deps.notifier.store(tx, messageOf(telling, list, now, deps.url()), channelIds)
  const kind = ({ opened: 'told', reminded: 'reminded', resolved: 'over' } as const)[telling]
  const at = new Date(now)
  const events = queued.flatMap(({ id: deliveryId, channelId }) =>
    list.map(({ id: incidentId }) => ({
      id: Bun.randomUUIDv7('hex', at),
      incidentId,
      at,
      kind,
      channelId,
      deliveryId,
    })),
  )
  for (let from = 0; from < events.length; from += ROWS_A_STATEMENT) {
    await tx.insert(incidentEvents).values(events.slice(from, from + ROWS_A_STATEMENT))
  }
  return queued
}

/** That nobody was told is said, too; a reminder asks again who is responsible. */
async function noteUntold(
  tx: Database,
  opened: readonly Due[],
  plans: readonly Plan[],
  now: number,
): Promise<void> {
  const told = new Set(plans.flatMap(({ list }) => list.map(({ id }) => id)))
  const values = opened
    .filter(({ id }) => !told.has(id))
    .map(({ id: incidentId }) => ({
      id: Bun.randomUUIDv7(),
      incidentId,
      at: new Date(now),
      kind: 'told' as const,
      note: 'No channel is responsible for it.',
    }))
  if (values.length > 0) await tx.insert(incidentEvents).values(values)
}

/** Where the clock went back, waits begin again from now: they would last until it has caught up. */
async function reanchor(db: Database, now: number): Promise<void> {
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

/** Whether a wait is over; one that would begin in the future was set before the clock went back, and is over. */
function hasPassed(since: Date, waitMs: number, now: number): boolean {
  const elapsed = now - since.getTime()
  return elapsed >= waitMs || elapsed < -AHEAD_MS
}
