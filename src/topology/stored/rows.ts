import { setImmediate } from 'node:timers/promises'
import { type SQL, sql } from 'drizzle-orm'
import type { Database } from '../../storage/storage.ts'
import { timestamp } from '../../storage/timestamp.ts'
import type { Ends } from '../model.ts'

/** Rows per statement: few enough that building it doesn't block the process. */
const ROWS_PER_STATEMENT = 200
const ROWS_PER_DELETE = 2_000

export interface ServiceRow {
  id: string
  /** Fields without a report are null, here and below. */
  name: string | null
  kind: string | null
  group: string | null
  url: string | null
  color: string | null
  /** Times are in milliseconds since 1970. */
  firstAt: number
  activeAt: number
  reportedAt: number
}

export interface CallRow extends Ends {
  /** Added to the stored sums when written; the sums when read. */
  count: number
  errors: number
  lastStatus: number | null
  lastDurationMs: number | null
  calledAt: number | null
  firstAt: number
  activeAt: number
}

export interface MinuteRow extends Ends {
  minute: number
  count: number
  errors: number
  latency: number[]
}

export interface TotalRow {
  minute: number
  calls: number
  errors: number
}

/** Sorted, so that two processes that write the same rows never deadlock. */
export async function writeServices(db: Database, rows: readonly ServiceRow[]): Promise<void> {
  for (const part of parts(rows, ({ id }) => id)) {
    await run(
      db,
      sql`
      INSERT INTO weir.topology_services AS known
        (id, name, kind, "group", url, colour, first_at, active_at, reported_at, updated_at)
      SELECT id, name, kind, "group", url, color, ${time('firstAt')}, ${time('activeAt')}, ${time('reportedAt')},
        clock_timestamp()
      FROM json_to_recordset(${part}::json) AS said(id text, name text, kind text, "group" text, url text, color text,
        "firstAt" float8, "activeAt" float8, "reportedAt" float8)
      ON CONFLICT (id) DO UPDATE SET
        name = coalesce(excluded.name, known.name), kind = coalesce(excluded.kind, known.kind),
        "group" = coalesce(excluded."group", known."group"), url = coalesce(excluded.url, known.url),
        colour = coalesce(excluded.colour, known.colour), first_at = ${FIRST},
        active_at = greatest(known.active_at, excluded.active_at),
        reported_at = greatest(known.reported_at, excluded.reported_at), updated_at = excluded.updated_at`,
    )
  }
}

export async function writeCalls(db: Database, rows: readonly CallRow[]): Promise<void> {
  for (const part of parts(rows, ({ from, to }) => `${from}\n${to}`)) {
    await run(
      db,
      sql`
      INSERT INTO weir.topology_calls AS known (from_id, to_id, count, errors, last_status, last_duration_ms, called_at,
        first_at, active_at, updated_at)
      SELECT "from", "to", count, errors, "lastStatus", "lastDurationMs", ${time('calledAt')}, ${time('firstAt')},
        ${time('activeAt')}, clock_timestamp()
      FROM json_to_recordset(${part}::json) AS said("from" text, "to" text, count bigint, errors bigint,
        "lastStatus" int, "lastDurationMs" float8, "calledAt" float8, "firstAt" float8, "activeAt" float8)
      ON CONFLICT (from_id, to_id) DO UPDATE SET
        count = known.count + excluded.count, errors = known.errors + excluded.errors,
        last_status = CASE WHEN ${IS_LATER} THEN excluded.last_status ELSE known.last_status END,
        last_duration_ms = CASE WHEN ${IS_LATER} THEN excluded.last_duration_ms ELSE known.last_duration_ms END,
        called_at = greatest(known.called_at, excluded.called_at), first_at = ${FIRST},
        active_at = greatest(known.active_at, excluded.active_at), updated_at = excluded.updated_at`,
    )
  }
}

/** A process's minute replaces its earlier one, so a repeated write counts once. */
export async function writeMinutes(db: Database, writer: string, rows: readonly MinuteRow[]): Promise<void> {
  for (const part of parts(rows, ({ minute, from, to }) => `${minute}\n${from}\n${to}`)) {
    await run(
      db,
      sql`
      INSERT INTO weir.topology_minutes (minute, from_id, to_id, writer, count, errors, latency, updated_at)
      SELECT ${time('minute')}, "from", "to", ${writer}::text, count, errors, latency, clock_timestamp()
      FROM json_to_recordset(${part}::json)
        AS said(minute float8, "from" text, "to" text, count int, errors int, latency int[])
      ON CONFLICT (minute, from_id, to_id, writer) DO UPDATE SET count = excluded.count, errors = excluded.errors,
        latency = excluded.latency, updated_at = excluded.updated_at`,
    )
  }
}

export async function writeTotals(db: Database, writer: string, rows: readonly TotalRow[]): Promise<void> {
  for (const part of parts(rows, ({ minute }) => String(minute))) {
    await run(
      db,
      sql`
      INSERT INTO weir.topology_totals (minute, writer, calls, errors)
      SELECT ${time('minute')}, ${writer}::text, calls, errors
      FROM json_to_recordset(${part}::json) AS said(minute float8, calls bigint, errors bigint)
      ON CONFLICT (minute, writer) DO UPDATE SET calls = excluded.calls, errors = excluded.errors`,
    )
  }
}

/** Deletes folded services and calls. */
export async function deleteRows(
  db: Database,
  services: readonly string[],
  calls: readonly Ends[],
): Promise<void> {
  const ids = JSON.stringify([...services].sort())
  await db.execute(sql`
    DELETE FROM weir.topology_services WHERE id IN (SELECT json_array_elements_text(${ids}::json))`)
  for (const part of parts(calls, ({ from, to }) => `${from}\n${to}`)) {
    await db.execute(sql`
      DELETE FROM weir.topology_calls WHERE (from_id, to_id) IN (
        SELECT "from", "to" FROM json_to_recordset(${part}::json) AS said("from" text, "to" text))`)
  }
}

/**
 * Deletes some of the minutes before one time, and of the services and calls without a report since another.
 * @returns whether there may be more
 */
export async function deleteOld(db: Database, minutesBefore: number, heardBefore: number): Promise<boolean> {
  const [minutes, heard] = [
    sql`minute < ${timestamp(minutesBefore)}`,
    sql`active_at < ${timestamp(heardBefore)}`,
  ]
  const counts = [
    await deleteSome(db, sql`weir.topology_minutes`, minutes),
    await deleteSome(db, sql`weir.topology_totals`, minutes),
    await deleteSome(db, sql`weir.topology_calls`, heard),
    await deleteSome(db, sql`weir.topology_services`, heard),
  ]
  return counts.some((count) => count === ROWS_PER_DELETE)
}

export async function queryRows<Row>(db: Database, statement: SQL): Promise<Row[]> {
  return ((await db.execute(statement)) as unknown as { rows: Row[] }).rows
}

/** A report after this long counts as new. */
const FIRST = sql`CASE WHEN known.active_at < excluded.first_at - interval '24 hours' THEN excluded.first_at
  ELSE least(known.first_at, excluded.first_at) END`
const IS_LATER = sql`excluded.called_at >= coalesce(known.called_at, '-infinity'::timestamptz)`

/** Yields after each statement. */
async function run(db: Database, statement: SQL): Promise<void> {
  await db.execute(statement)
  await setImmediate()
}

function* parts<Row>(rows: readonly Row[], key: (row: Row) => string): Generator<string> {
  const sorted = rows.toSorted((a, b) => (key(a) < key(b) ? -1 : 1))
  for (let from = 0; from < sorted.length; from += ROWS_PER_STATEMENT) {
    yield JSON.stringify(sorted.slice(from, from + ROWS_PER_STATEMENT))
  }
}

function time(column: string): SQL {
  return sql`to_timestamp(said.${sql.identifier(column)} / 1000)`
}

async function deleteSome(db: Database, table: SQL, which: SQL): Promise<number> {
  const deleted = await queryRows(
    db,
    sql`DELETE FROM ${table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM ${table} WHERE ${which}
      LIMIT ${ROWS_PER_DELETE}::int)) RETURNING 1`,
  )
  return deleted.length
}
