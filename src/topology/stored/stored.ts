import { type SQL, sql } from 'drizzle-orm'
import type { Database } from '../../storage/storage.ts'
import { timestamp } from '../../storage/timestamp.ts'
import { type CallRow, type MinuteRow, queryRows, type ServiceRow, type TotalRow } from './rows.ts'

/** Bounds of a read: by the time of the event, and by the time of the write. */
export interface ReadSpan {
  from: number
  to: number
  /** By the database's clock; omitted: everything. */
  updatedSince?: number
}

/** Services that existed: known by `to`, and reported since `from`; the most recent ones if there are too many. */
export function readServices(db: Database, span: ReadSpan, most: number): Promise<ServiceRow[]> {
  return queryRows<ServiceRow>(
    db,
    sql`SELECT * FROM (
      SELECT id, name, kind, "group", url, colour AS color, ${ms('first_at')} AS "firstAt", ${ms('active_at')} AS "activeAt",
        ${ms('reported_at')} AS "reportedAt"
      FROM weir.topology_services WHERE ${lived(span)} ORDER BY active_at DESC, id LIMIT ${most}::int
    ) AS service ORDER BY "firstAt", id`,
  )
}

export function readCalls(db: Database, span: ReadSpan, most: number): Promise<CallRow[]> {
  return queryRows<CallRow>(
    db,
    sql`SELECT * FROM (
      SELECT from_id AS "from", to_id AS "to", count::float8 AS count, errors::float8 AS errors,
        last_status AS "lastStatus", last_duration_ms AS "lastDurationMs", ${ms('called_at')} AS "calledAt",
        ${ms('first_at')} AS "firstAt", ${ms('active_at')} AS "activeAt"
      FROM weir.topology_calls WHERE ${lived(span)} ORDER BY active_at DESC, from_id, to_id LIMIT ${most}::int
    ) AS call ORDER BY "firstAt", "from", "to"`,
  )
}

/** Minutes from `from` to before `to`, of processes other than `except`. */
export function readMinutes(
  db: Database,
  { from, to, updatedSince }: ReadSpan,
  except?: string,
): Promise<(MinuteRow & { writer: string })[]> {
  return queryRows(
    db,
    sql`SELECT ${ms('minute')} AS minute, from_id AS "from", to_id AS "to", writer, count, errors,
        array_to_json(latency) AS latency
      FROM weir.topology_minutes
      WHERE minute >= ${timestamp(from)} AND minute < ${timestamp(to)} AND writer IS DISTINCT FROM ${except ?? null}::text
        AND ${updated(updatedSince)}`,
  )
}

/** All calls, in steps of `stepMs` counted from `from`; empty steps are left out. */
export function readTotals(db: Database, { from, to }: ReadSpan, stepMs: number): Promise<TotalRow[]> {
  const step = sql`floor((extract(epoch FROM minute) * 1000 - ${from}::float8) / ${stepMs}::float8)`
  return queryRows(
    db,
    sql`SELECT (${from}::float8 + ${step} * ${stepMs}::float8)::float8 AS minute, sum(calls)::float8 AS calls,
        sum(errors)::float8 AS errors
      FROM weir.topology_totals WHERE minute >= ${timestamp(from)} AND minute < ${timestamp(to)} GROUP BY 1 ORDER BY 1`,
  )
}

/** The database's clock, which dates the rows. */
export async function databaseTime(db: Database): Promise<number> {
  const [row] = await queryRows<{ now: number }>(db, sql`SELECT ${ms('clock_timestamp()')} AS now`)
  return row?.now ?? 0
}

function lived({ from, to, updatedSince }: ReadSpan): SQL {
  return sql`first_at < ${timestamp(to)} AND active_at >= ${timestamp(from)} AND ${updated(updatedSince)}`
}

function updated(since: number | undefined): SQL {
  return since === undefined ? sql`true` : sql`updated_at > ${timestamp(since)}`
}

function ms(column: string): SQL {
  return sql`(round(extract(epoch FROM ${sql.raw(column)}) * 1000))::float8`
}
