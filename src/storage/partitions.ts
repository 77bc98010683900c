import { sql } from 'drizzle-orm'
import { LOCKS } from './locks.ts'
import { sqlStateOf } from './sql-state.ts'
import type { Database } from './storage.ts'

/** What is partitioned by day in UTC, and the column that says which. */
const PARTITIONED = { entries: 'at', bodies: 'day', rollups: 'minute', path_rollups: 'hour' } as const
export type Partitioned = keyof typeof PARTITIONED

/** A day in UTC, as `2026-11-05`. */
export type Day = string

/** One table's rows of a day. */
export interface Partition {
  table: Partitioned
  /** `rest`: rows of days that have no partition, as a clock that was wrong makes them. */
  day: Day | 'rest'
  /** With indexes, and what is stored out of line. */
  bytes: number
}

export const DAY_MS = 86_400_000
/** Days made ahead, today not counted: recording goes on in them should no worker run by then. */
const DAYS_AHEAD = 2
/** Longest wait for a lock when a partition is made, and when some are dropped, in milliseconds: recording waits behind. */
const MAKE_LOCK_MS = 1_000
const DROP_LOCK_MS = 250
/** A day gets no partition while more than this many of its rows lie among the rest; they are reached there, too. */
const MAX_MOVED_ROWS = 10_000
/** A lock that was not given in time, a deadlock, or a row that came to the rest meanwhile (SQLSTATE). */
const BUSY_CODES = new Set(['55P03', '40P01', '23514'])

export function dayOf(ms: number): Day {
  return new Date(ms).toISOString().slice(0, 10)
}

/** The first instant of a day, in milliseconds. */
export function startOfDay(day: Day): number {
  return Date.parse(`${day}T00:00:00Z`)
}

/** Name of a day's partition, without its schema. */
export function partitionName(table: Partitioned, day: Day): string {
  return `${table}_${day.replaceAll('-', '')}`
}

/**
 * Makes the partitions of today and the days ahead, as far as they are missing. Processes that do so at the same time
 * wait for each other.
 * @returns those that could not be made now: their rows go to the rest meanwhile, and are moved when they can be
 */
export async function makePartitions(db: Database, nowMs: number): Promise<string[]> {
  const known = new Set((await listPartitions(db)).map(({ table, day }) => `${table} ${day}`))
  const missing: string[] = []
  for (let ahead = 0; ahead <= DAYS_AHEAD; ahead++) {
    const day = dayOf(nowMs + ahead * DAY_MS)
    for (const table of Object.keys(PARTITIONED) as Partitioned[]) {
      if (known.has(`${table} ${day}`)) continue
      if (await makePartition(db, table, day)) continue
      missing.push(partitionName(table, day))
      // Bodies go with their entries: without those they would be dropped too soon.
      if (table === 'entries') break
    }
  }
  return missing
}

/** Makes a day's partition of each of some tables, as far as they are missing. */
export async function makeDays(db: Database, days: readonly { table: string; day: Day }[]): Promise<void> {
  for (const { table, day } of days) {
    if (Object.hasOwn(PARTITIONED, table)) await makePartition(db, table as Partitioned, day)
  }
}

/** Every partition there is, by table, then by day; the rest last. */
export async function listPartitions(
  db: Database,
  tables: readonly Partitioned[] = Object.keys(PARTITIONED) as Partitioned[],
): Promise<Partition[]> {
  const parents = sql.join(
    tables.map((table) => sql`${`weir.${table}`}::regclass`),
    sql`, `,
  )
  const { rows } = (await db.execute(sql`
    SELECT parent.relname AS "table", child.relname AS name, pg_total_relation_size(child.oid)::float8 AS bytes
    FROM pg_inherits
    JOIN pg_class AS child ON child.oid = inhrelid
    JOIN pg_class AS parent ON parent.oid = inhparent
    WHERE inhparent IN (${parents})
    ORDER BY 1, 2`)) as { rows: { table: Partitioned; name: string; bytes: number | null }[] }
  return rows.map(({ table, name, bytes }) => ({ table, day: dayIn(name), bytes: bytes ?? 0 }))
}

/**
 * Drops a day of some tables at once: no row is touched, and what is read and written meanwhile waits no longer than
 * the lock may take.
 * @param isReady has the last word, with everything locked
 * @returns `busy` when the lock was not given in time, to be tried again; `refused` when it isn't ready
 */
export async function dropDay(
  db: Database,
  tables: readonly Partitioned[],
  day: Day,
  isReady: (tx: Database) => Promise<boolean> = async () => true,
): Promise<'dropped' | 'busy' | 'refused'> {
  const names = tables.map((table) => `weir.${partitionName(table, day)}`).join(', ')
  const parents = tables.map((table) => `ONLY weir.${table}`).join(', ')
  return unlessBusy<'dropped' | 'busy' | 'refused'>('busy', () =>
    db.transaction(async (tx) => {
      await lockPartitions(tx, DROP_LOCK_MS)
      await tx.execute(sql.raw(`LOCK TABLE ${parents} IN ACCESS EXCLUSIVE MODE`))
      if (!(await isReady(tx))) return 'refused'
      await tx.execute(sql.raw(`DROP TABLE IF EXISTS ${names}`))
      return 'dropped'
    }),
  )
}

/**
 * Made apart and then attached: only so is writing to other partitions not held up.
 * @see https://www.postgresql.org/docs/18/sql-altertable.html#SQL-ALTERTABLE-ATTACH-PARTITION
 */
function makePartition(db: Database, table: Partitioned, day: Day): Promise<boolean> {
  const [name, rest] = [`weir.${partitionName(table, day)}`, `weir.${table}_rest`]
  const [from, to] = [day, dayOf(startOfDay(day) + DAY_MS)].map((each) =>
    table === 'bodies' ? `'${each}'` : `'${each} 00:00:00+00'`,
  )
  const column = PARTITIONED[table]
  const ofDay = `${column} >= ${from} AND ${column} < ${to}`
  return unlessBusy(false, () =>
    db.transaction(async (tx) => {
      await lockPartitions(tx, MAKE_LOCK_MS)
      const { rows } = (await tx.execute(
        sql.raw(`SELECT to_regclass('${name}') IS NOT NULL AS "isMade",
        (SELECT count(*) FROM (SELECT FROM ${rest} WHERE ${ofDay} LIMIT ${MAX_MOVED_ROWS + 1}) AS row)::int AS strays`),
      )) as { rows: { isMade: boolean; strays: number }[] }
      const { isMade, strays } = rows[0] as (typeof rows)[0]
      if (isMade) return true
      if (strays > MAX_MOVED_ROWS) return false
      await tx.execute(sql.raw(`CREATE TABLE ${name} (LIKE weir.${table} INCLUDING ALL)`))
      if (strays > 0) {
        await tx.execute(
          sql.raw(`WITH moved AS (DELETE FROM ${rest} WHERE ${ofDay} RETURNING *)
          INSERT INTO ${name} SELECT * FROM moved`),
        )
      }
      await tx.execute(
        sql.raw(`ALTER TABLE weir.${table} ATTACH PARTITION ${name} FOR VALUES FROM (${from}) TO (${to})`),
      )
      return true
    }),
  )
}

async function lockPartitions(tx: Database, lockMs: number): Promise<void> {
  await tx.execute(sql.raw(`SET LOCAL lock_timeout = ${lockMs}`))
  await tx.execute(sql`SELECT pg_advisory_xact_lock(${LOCKS.partitions})`)
}

async function unlessBusy<T>(busy: T, step: () => Promise<T>): Promise<T> {
  try {
    return await step()
  } catch (error) {
    if (isBusy(error)) return busy
    throw error
  }
}

/** Whether a statement failed for what others were doing at that moment: trying again later helps. */
export function isBusy(error: unknown): boolean {
  return BUSY_CODES.has(sqlStateOf(error) ?? '')
}

function dayIn(name: string): Day | 'rest' {
  const [, year, month, date] = /_(\d{4})(\d\d)(\d\d)$/.exec(name) ?? []
  return year === undefined ? 'rest' : `${year}-${month}-${date}`
}
