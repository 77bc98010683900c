import { type SQL, sql } from 'drizzle-orm'
import type { Database } from '../../storage/storage.ts'
import { type CallRow, iso, type MinuteRow, type ServiceRow, select, type TotalRow } from './rows.ts'

/** Of a read: by when it happened, and by when it was written. */
export interface Span {
  from: number
  to: number
  /** By the database's clock; everything, when left out. */
  updatedSince?: number
}

/** Services there were at some time: known by `to`, and heard of since `from`; the last ones heard of, if more. */
export function readServices(db: Database, span: Span, most: number): Promise<ServiceRow[]> {
  return select<ServiceRow>(
    db,
    sql`SELECT * FROM (
      SELECT id, name, kind, "group", url, colour, ${ms('first_at')} AS "firstAt", ${ms('active_at')} AS "activeAt",
        ${ms('reported_at')} AS "reportedAt"
      FROM weir.topology_services WHERE ${lived(span)} ORDER BY active_at DESC, id LIMIT ${most}::int
    ) AS service ORDER BY "firstAt", id`,
  )
}

export function readCalls(db: Database, span: Span, most: number): Promise<CallRow[]> {
  return select<CallRow>(
    db,
    sql`SELECT * FROM (
      SELECT from_id AS "from", to_id AS "to", count::float8 AS count, errors::float8 AS errors,
        last_status AS "lastStatus", last_duration_ms AS "lastDurationMs", ${ms('called_at')} AS "calledAt",
        ${ms('first_at')} AS "firstAt", ${ms('active_at')} AS "activeAt"
      FROM weir.topology_calls WHERE ${lived(span)} ORDER BY active_at DESC, from_id, to_id LIMIT ${most}::int
    ) AS call ORDER BY "firstAt", "from", "to"`,
  )
}

/** Minutes from `from` up to `to`, which is left out; of other processes than `except`. */
export function readMinutes(
  db: Database,
  { from, to, updatedSince }: Span,
  except?: string,
): Promise<(MinuteRow & { writer: string })[]> {
  return select(
    db,
    sql`SELECT ${ms('minute')} AS minute, from_id AS "from", to_id AS "to", writer, count, errors,
        array_to_json(latency) AS latency
      FROM weir.topology_minutes
      WHERE minute >= ${iso(from)} AND minute < ${iso(to)} AND writer IS DISTINCT FROM ${except ?? null}::text
        AND ${updated(updatedSince)}`,
  )
}

/** All calls, in steps of `stepMs` counted from `from`; steps without any are left out. */
export function readTotals(db: Database, { from, to }: Span, stepMs: number): Promise<TotalRow[]> {
  const step = sql`floor((extract(epoch FROM minute) * 1000 - ${from}::float8) / ${stepMs}::float8)`
  return select(
    db,
    sql`SELECT (${from}::float8 + ${step} * ${stepMs}::float8)::float8 AS minute, sum(calls)::float8 AS calls,
        sum(errors)::float8 AS errors
      FROM weir.topology_totals WHERE minute >= ${iso(from)} AND minute < ${iso(to)} GROUP BY 1 ORDER BY 1`,
  )
}

/** The database's own time: what rows are dated with. */
export async function databaseTime(db: Database): Promise<number> {
  const [row] = await select<{ now: number }>(db, sql`SELECT ${ms('clock_timestamp()')} AS now`)
  return row?.now ?? 0
}

function lived({ from, to, updatedSince }: Span): SQL {
  return sql`first_at < ${iso(to)} AND active_at >= ${iso(from)} AND ${updated(updatedSince)}`
}

function updated(since: number | undefined): SQL {
  return since === undefined ? sql`true` : sql`updated_at > ${iso(since)}`
}

function ms(column: string): SQL {
  return sql`(round(extract(epoch FROM ${sql.raw(column)}) * 1000))::float8`
}
