import { and, asc, eq, isNull, sql } from 'drizzle-orm'
import { alarms, incidents, rules, streams } from '../../drizzle/schema.ts'
import { Problem } from '../errors.ts'
import type { Database } from '../storage/storage.ts'
import { IS_SHARED } from '../streams/registry/visibility.ts'
import { checkRule, type RuleChange, type RuleInput, type RuleParams } from './rule-input.ts'

/** When to open an incident beyond what verdicts say, and of which streams. */
export type Rule = Omit<typeof rules.$inferSelect, 'params' | 'kind'> & RuleParams

/** More would make every look long. */
const MAX_RULES = 100
const DEFAULT_THRESHOLD = 2

/** All rules, in the order in which they were made; up to 100. */
export async function listRules(db: Database): Promise<Rule[]> {
  return (await db.select().from(rules).orderBy(asc(rules.id))) as Rule[]
}

/** @throws Problem `not_found` */
export async function getRule(db: Database, id: string): Promise<Rule> {
  const [rule] = isUuid(id) ? await db.select().from(rules).where(eq(rules.id, id)) : []
  if (rule === undefined) throw new Problem('not_found', `There is no rule ${id.slice(0, 64)}.`)
  return rule as Rule
}

/** @throws Problem `invalid_field`, `conflict` at the hundredth */
export async function addRule(db: Database, input: RuleInput, now: number): Promise<Rule> {
  await requireStream(db, input.streamId)
  const count = await db.$count(rules)
  if (count >= MAX_RULES)
    throw new Problem('conflict', `There are ${MAX_RULES} rules already; that is the most.`)
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
  return rule as Rule
}

/** Changes a rule. What it has seen so far is forgotten, and its incidents end: it may mean something else now. */
export async function changeRule(db: Database, id: string, change: RuleChange, now: number): Promise<Rule> {
  const { kind, params, name, streamId, tag, failureThreshold, successThreshold, isEnabled } = await getRule(
    db,
    id,
  )
  const before = { kind, params, name, streamId, tag, failureThreshold, successThreshold, isEnabled }
  const after = checkRule({ ...dropNulls(before), ...change })
  await requireStream(db, after.streamId)
  return db.transaction(async (tx) => {
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
}

/** Removes a rule; its incidents end. */
export async function removeRule(db: Database, id: string, now: number): Promise<void> {
  await getRule(db, id)
  await db.transaction(async (tx) => {
    await endRule(tx, id, now)
    await tx.delete(rules).where(eq(rules.id, id))
  })
}

export function isUuid(text: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)
}

/** @throws Problem `invalid_field` for a stream that isn't there, or that not all may know of: it has no incidents */
export async function requireStream(db: Database, streamId: string | null | undefined): Promise<void> {
  if (streamId === undefined || streamId === null) return
  const known = isUuid(streamId) && (await db.$count(streams, and(eq(streams.id, streamId), IS_SHARED))) > 0
  if (!known) throw new Problem('invalid_field', `There is no stream ${streamId.slice(0, 64)}.`, 'streamId')
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
