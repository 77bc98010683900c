import { sql } from 'drizzle-orm'
import { DAY_MS } from '../core/time.ts'
import { sqlStateOf } from './errors/sql-state.ts'
import { LOCKS } from './locks.ts'
import type { Database } from './storage.ts'

/** Tables partitioned by UTC day, with the column that decides. */
const PARTITIONED = { entries: 'at', bodies: 'day', rollups: 'minute', path_rollups: 'hour' } as const
export type Partitioned = keyof typeof PARTITIONED

/** A day in UTC, as `2026-11-05`. */
export type Day = string

/** One table's rows for one day. */
export interface Partition {
  table: Partitioned
  /** `rest`: rows of days without a partition, caused by a wrong clock. */
  day: Day | 'rest'
  /** Including indexes and out-of-line storage. */
  bytes: number
}

/** Days created ahead, not counting today: recording continues in them even if no worker runs by then. */
const DAYS_AHEAD = 2
/** Longest wait for a lock when partitions are created or dropped, in milliseconds: recording waits behind it. */
const MAKE_LOCK_MS = 1_000
const DROP_LOCK_MS = 250
/** A day gets no partition while the default partition has more of its rows than this; they can be read there too. */
const MAX_MOVED_ROWS = 10_000
/** A lock timeout, a deadlock, or a row added to the default partition in the meantime (SQLSTATE). */
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
 * Creates missing partitions for today and the days ahead. Processes that do so at the same time wait for each other.
 * @returns those that couldn't be created now: their rows go to the default partition, and are moved later
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
      // Bodies move with their entries; otherwise they would be dropped too soon.
      if (table === 'entries') break
    }
  }
  return missing
}

/** Creates a day's missing partitions for some tables. */
export async function makeDays(db: Database, days: readonly { table: string; day: Day }[]): Promise<void> {
  for (const { table, day } of days) {
    if (Object.hasOwn(PARTITIONED, table)) await makePartition(db, table as Partitioned, day)
  }
}

/** Every partition, by table, then by day; the default ones last. */
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
 * Drops a day of some tables at once: no row is touched, and concurrent reads and writes wait no longer than the lock
 * timeout.
 * @param isReady decides, with everything locked
 * @returns `busy` when the lock timed out, to be retried; `refused` when it isn't ready
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
 * Created separately and then attached: this is the only way not to block writes to other partitions.
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

/** Whether a statement failed because of concurrent activity, so that a retry helps. */
export function isBusy(error: unknown): boolean {
  return BUSY_CODES.has(sqlStateOf(error) ?? '')
}

function dayIn(name: string): Day | 'rest' {
  const [, year, month, date] = /_(\d{4})(\d\d)(\d\d)$/.exec(name) ?? []
  return year === undefined ? 'rest' : `${year}-${month}-${date}`
}
