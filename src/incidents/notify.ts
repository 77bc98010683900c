import { and, eq, inArray, isNotNull, isNull, or, type SQL, sql } from 'drizzle-orm'
import { incidentEvents, incidents } from '../../drizzle/schema.ts'
import type { Queued } from '../channels/notifier.ts'
import type { HostTally } from '../core/judging/blame.ts'
import { transact } from '../storage/errors/sql-state.ts'
import { LOCKS } from '../storage/locks.ts'
import type { Database } from '../storage/storage.ts'
import { type Due, dueReminders, dueToEnd, dueToOpen, reanchor } from './evaluation/due.ts'
import type { EvaluationDeps } from './evaluation/evaluate.ts'
import { messageOf, type Telling } from './messages.ts'
import { silencing } from './silences.ts'

/** Rows in a statement: Postgres takes 65,535 parameters. */
const ROWS_A_STATEMENT = 5_000

type Row = typeof incidents.$inferSelect

/** One message, for one channel or several. */
interface Plan {
  telling: Telling
  channelIds: string[]
  list: Due[]
}

/** Another process sent it, or the incident changed: the plan no longer holds. */
class Overtaken extends Error {}

/**
 * Sends notifications of incidents that opened, that are still open after a while, and that are resolved: one message
 * per channel for everything due at a time. The transaction that stores the deliveries also marks the incidents; a
 * process that finds one marked already gives up the whole message, and the next evaluation plans again.
 */
export async function tell(
  deps: EvaluationDeps,
  hosts: readonly HostTally[],
  isReachable: boolean | undefined,
): Promise<void> {
  const { db, notifier } = deps
  const now = deps.now()
  const isSilent = await silencing(db, now)
  await reanchor(db, now)
  const due: Record<Telling, Due[]> = {
    opened: await dueToOpen(deps, { hosts, isReachable, isSilent, now }),
    reminded: await dueReminders(deps, isSilent, now),
    resolved: await dueToEnd(deps, isSilent, now),
  }
  const plans = [
    ...(await byResponsible(deps, 'opened', due.opened)),
    ...(await byResponsible(deps, 'reminded', due.reminded)),
    ...(await byTold(db, 'resolved', due.resolved)),
  ]
  if (due.opened.length + due.reminded.length + due.resolved.length === 0) return
  try {
    const stored = await transact(db, async (tx) => {
      await tx.execute(sql`SELECT pg_advisory_xact_lock(${LOCKS.notification})`)
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

/** To the channels responsible now; a reminder also goes to channels that became responsible after it opened. */
async function byResponsible(
  { notifier, db }: EvaluationDeps,
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

/** To exactly the channels that were notified of the opening, even if others are responsible now. */
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

/** Channels with the same incidents share a message. */
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

/** Marks incidents as notified. @throws Overtaken when one is marked already or has changed */
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

/** No reminder went out since. */
function asPlanned(due: readonly Due[]): SQL {
  const last = due.map(({ id, row }) => ({ id, at: (row.remindedAt ?? row.notifiedAt)?.toISOString() }))
  return sql`(${incidents.id}, coalesce(${incidents.remindedAt}, ${incidents.notifiedAt})) IN (
    SELECT id, at FROM json_to_recordset(${JSON.stringify(last)}::json) AS row(id uuid, at timestamptz))`
}

async function carryOut(deps: EvaluationDeps, tx: Database, plan: Plan, now: number): Promise<Queued[]> {
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

/** Records that no one was notified; a reminder checks again who is responsible. */
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
      note: 'No channel is responsible.',
    }))
  if (values.length > 0) await tx.insert(incidentEvents).values(values)
}
