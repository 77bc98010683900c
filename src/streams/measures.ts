import { and, eq, gte, lt, sql } from 'drizzle-orm'
import { rollups } from '../../drizzle/schema.ts'
import { STEPS_MS, type Step, type Sums } from '../core/measures.ts'
import { Problem } from '../errors.ts'
import type { Database } from '../storage/storage.ts'

/** Most steps one answer holds: a day in minutes. */
const MAX_STEPS = 1_440

export interface Span {
  from: Date
  to: Date
  step: Step
}

/** Sums over one step; only steps in which anything was recorded. */
export interface StepSums extends Sums {
  at: Date
}

const total = (column: keyof Sums) =>
  sql<number>`coalesce(sum(${rollups[column]}), 0)::float8`.mapWith(Number)

const SUMS = {
  entries: total('entries'),
  events: total('events'),
  polls: total('polls'),
  errors: total('errors'),
  compared: total('compared'),
  changed: total('changed'),
  wireBytes: total('wireBytes'),
  bodyBytes: total('bodyBytes'),
  patchBytes: total('patchBytes'),
}

/** What was recorded of a stream from one instant to another, by whole minutes. */
export async function sumsOf(db: Database, streamId: string, from: Date, to: Date): Promise<Sums> {
  const [sums] = await db
    .select(SUMS)
    .from(rollups)
    .where(within(streamId, from, to))
  return sums as Sums
}

/**
 * The same, step by step.
 * @throws Problem `invalid_field` when the span has more than 1,440 steps.
 */
export async function stepsOf(db: Database, streamId: string, { from, to, step }: Span): Promise<StepSums[]> {
  const count = (to.getTime() - from.getTime()) / STEPS_MS[step]
  if (count > MAX_STEPS) {
    const detail = `${Math.ceil(count)} steps are too many; ask for at most ${MAX_STEPS}, or a longer step.`
    throw new Problem('invalid_field', detail, 'step')
  }
  const at = sql`date_trunc(${sql.raw(`'${step}'`)}, ${rollups.minute}, 'UTC')`
  const rows = await db
    .select({ at: sql<string>`${at}`, ...SUMS })
    .from(rollups)
    .where(within(streamId, from, to))
    .groupBy(at)
    .orderBy(at)
  return rows.map((row) => ({ ...row, at: new Date(row.at) }))
}

/** When the stream last changed, to the minute; `undefined` when it never did. */
export async function lastChange(db: Database, streamId: string): Promise<Date | undefined> {
  const [row] = await db
    .select({ minute: rollups.minute })
    .from(rollups)
    .where(and(eq(rollups.streamId, streamId), sql`${rollups.changed} > 0`))
    .orderBy(sql`${rollups.minute} DESC`)
    .limit(1)
  return row?.minute
}

/** Change by hour of the week in UTC, Monday first: 168 pairs over the last weeks there are. */
export async function hourOfWeek(
  db: Database,
  streamId: string,
): Promise<{ hour: number; compared: number; changed: number }[]> {
  const hour = sql`((extract(isodow FROM ${rollups.minute} AT TIME ZONE 'UTC') - 1) * 24
    + extract(hour FROM ${rollups.minute} AT TIME ZONE 'UTC'))::int`
  return db
    .select({ hour: sql<number>`${hour}`.mapWith(Number), compared: SUMS.compared, changed: SUMS.changed })
    .from(rollups)
    .where(eq(rollups.streamId, streamId))
    .groupBy(hour)
    .orderBy(hour)
}

function within(streamId: string, from: Date, to: Date) {
  const firstMinute = new Date(Math.floor(from.getTime() / 60_000) * 60_000)
  return and(eq(rollups.streamId, streamId), gte(rollups.minute, firstMinute), lt(rollups.minute, to))
}
