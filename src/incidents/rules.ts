import { and, asc, eq, isNull, sql } from 'drizzle-orm'
import { alarms, incidents, rules, streams } from '../../drizzle/schema.ts'
import type { Bus } from '../bus/bus.ts'
import { isUuid } from '../core/uuid.ts'
import { Problem } from '../errors.ts'
import { transact } from '../storage/errors/sql-state.ts'
import type { Database } from '../storage/storage.ts'
import { IS_SHARED } from '../streams/registry/visibility.ts'
import { checkRule, type RuleChange, type RuleInput } from './rule-input.ts'
import type { RuleParams } from './rule-kinds.ts'

/** When to open an incident beyond a stalled or dead status, and for which streams. */
export type Rule = Omit<typeof rules.$inferSelect, 'params' | 'kind'> & RuleParams

/** Where a change is stored and published. */
export interface Changes {
  db: Database
  bus: Bus
}

/** More would make every evaluation slow. */
const MAX_RULES = 100
const DEFAULT_THRESHOLD = 2

/** All rules, in the order they were created; up to 100. */
export async function listRules(db: Database): Promise<Rule[]> {
  return (await db.select().from(rules).orderBy(asc(rules.id))) as Rule[]
}

/** @throws Problem `not_found` */
export async function getRule(db: Database, id: string): Promise<Rule> {
  const [rule] = isUuid(id) ? await db.select().from(rules).where(eq(rules.id, id)) : []
  if (rule === undefined) throw new Problem('not_found', `No rule has the ID ${id.slice(0, 64)}.`)
  return rule as Rule
}

/** @throws Problem `invalid_field`, `conflict` at the hundredth */
export async function addRule({ db, bus }: Changes, input: RuleInput, now: number): Promise<Rule> {
  await requireStream(db, input.streamId)
  const count = await db.$count(rules)
  if (count >= MAX_RULES)
    throw new Problem('conflict', `The limit of ${MAX_RULES} rules is reached. Remove one first.`)
  const at = new Date(now)
  const { failureThreshold = DEFAULT_THRESHOLD, successThreshold = DEFAULT_THRESHOLD } = input
  const values = {
    id: Bun.randomUUIDv7(),
    name: input.name,
    kind: input.kind,
    params: input.params as Record<string, unknown>,
    streamId: input.streamId ?? null,
    tag: input.tag ?? null,
    failureThreshold,
    successThreshold,
    isEnabled: input.isEnabled ?? true,
    createdAt: at,
    updatedAt: at,
  }
  const [rule] = await db.insert(rules).values(values).returning()
  bus.publish({ type: 'rule.updated' })
  return rule as Rule
}

/** Changes a rule. Its alarms are reset and its incidents end: it may mean something else now. */
export async function changeRule(
  { db, bus }: Changes,
  id: string,
  change: RuleChange,
  now: number,
): Promise<Rule> {
  const { kind, params, name, streamId, tag, failureThreshold, successThreshold, isEnabled } = await getRule(
    db,
    id,
  )
  const before = { kind, params, name, streamId, tag, failureThreshold, successThreshold, isEnabled }
  const after = checkRule({ ...dropNulls(before), ...change })
  await requireStream(db, after.streamId)
  const changed = await transact(db, async (tx) => {
    await endRule(tx, id, now)
    const set = {
      ...after,
      params: after.params as Record<string, unknown>,
      updatedAt: new Date(now),
      lookedAt: null,
    }
    const [rule] = await tx
      .update(rules)
      .set({ ...set, streamId: after.streamId ?? null, tag: after.tag ?? null })
      .where(eq(rules.id, id))
      .returning()
    return rule as Rule
  })
  bus.publish({ type: 'rule.updated' })
  bus.publish({ type: 'incident.updated' })
  return changed
}

/** Removes a rule; its incidents end. */
export async function removeRule({ db, bus }: Changes, id: string, now: number): Promise<void> {
  await getRule(db, id)
  await transact(db, async (tx) => {
    await endRule(tx, id, now)
    await tx.delete(rules).where(eq(rules.id, id))
  })
  bus.publish({ type: 'rule.updated' })
  bus.publish({ type: 'incident.updated' })
}

/** @throws Problem `invalid_field` for a stream that doesn't exist or is private: it has no incidents */
export async function requireStream(db: Database, streamId: string | null | undefined): Promise<void> {
  if (streamId === undefined || streamId === null) return
  const known = isUuid(streamId) && (await db.$count(streams, and(eq(streams.id, streamId), IS_SHARED))) > 0
  if (!known) throw new Problem('invalid_field', `No stream has the ID ${streamId.slice(0, 64)}.`, 'streamId')
}

async function endRule(tx: Database, id: string, now: number): Promise<void> {
  await tx.delete(alarms).where(eq(alarms.rule, id))
  await tx
    .update(incidents)
    .set({ resolvedAt: new Date(now) })
    .where(and(isNull(incidents.resolvedAt), sql`starts_with(${incidents.key}, ${`${id}:`})`))
}

function dropNulls(value: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== null))
}
