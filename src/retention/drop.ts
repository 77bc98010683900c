import { sql } from 'drizzle-orm'
import { DAY_MS } from '../core/time.ts'
import { type Day, dropDay, listPartitions, partitionName, startOfDay } from '../storage/partitions.ts'
import type { Database } from '../storage/storage.ts'
import { keepBasesOfDay } from './bases.ts'
import { setMark } from './marks.ts'
import type { TrimDeps } from './trim.ts'

/** Disk space of the log, with indexes: entries and the bodies they share. */
export interface LogSize {
  totalBytes: number
  /** By day, oldest first. */
  days: { day: Day; bytes: number }[]
}

/** The limit that caused a day to be dropped. */
export type DropReason = 'age' | 'entries' | 'bytes'
/** `busy`: the lock wasn't granted, try again. `unsafe`: not archived. */
export type DropOutcome = 'dropped' | 'busy' | 'unsafe'

export async function logSize(db: Database): Promise<LogSize> {
  const partitions = await listPartitions(db, ['entries', 'bodies'])
  const byDay = new Map<Day, number>()
  let totalBytes = await tableBytes(db, 'bases')
  const isWhole = new Set(partitions.filter(({ table }) => table === 'entries').map(({ day }) => day))
  for (const { day, bytes } of partitions) {
    totalBytes += bytes
    if (day !== 'rest' && isWhole.has(day)) byDay.set(day, (byDay.get(day) ?? 0) + bytes)
  }
  const days = [...byDay].map(([day, bytes]) => ({ day, bytes })).sort((a, b) => (a.day < b.day ? -1 : 1))
  return { totalBytes, days }
}

/**
 * Drops a day of the log, both entries and bodies. The documents that need it are saved first. Entries that are
 * recorded in the day after that, however late, are noticed once writers are locked out, and the day stays for
 * another attempt.
 */
export async function dropLogOfDay(
  deps: TrimDeps,
  { day, bytes }: LogSize['days'][number],
  reason: DropReason,
): Promise<DropOutcome> {
  const { db, mayDrop, now } = deps
  if (mayDrop !== undefined && !(await mayDrop(db, day))) return 'unsafe'
  const seen = await keepBasesOfDay(deps, day)
  const isReady = async (tx: Database) => {
    if (await hasMore(tx, day, seen)) return false
    return mayDrop === undefined || mayDrop(tx, day)
  }
  const outcome = await dropDay(db, ['entries', 'bodies'], day, isReady)
  if (outcome !== 'dropped') return 'busy'
  await setMark(db, 'dropped', new Date(now()), { day, reason, bytes })
  return 'dropped'
}

/**
 * Whether everything in a day precedes everything that is kept: a wrong clock puts new entries into old days. Such
 * days are dropped by age only if they are also oldest by `seq`.
 */
export async function isOldest(db: Database, day: Day, nowMs: number): Promise<boolean> {
  const end = new Date(startOfDay(day) + DAY_MS).toISOString()
  const table = sql.raw(`weir.${partitionName('entries', day)}`)
  const { rows } = (await db.execute(sql`
    SELECT EXISTS (
      SELECT FROM weir.streams AS stream
      CROSS JOIN LATERAL (
        SELECT seq FROM ${table} WHERE stream_id = stream.id ORDER BY seq DESC LIMIT 1
      ) AS last
      WHERE EXISTS (
        SELECT FROM weir.entries AS kept WHERE kept.stream_id = stream.id AND kept.seq < last.seq
          AND kept.at >= ${end}::timestamptz AND kept.at <= ${new Date(nowMs).toISOString()}::timestamptz
      )
    ) AS "isLater"`)) as { rows: { isLater: boolean }[] }
  return rows[0]?.isLater === false
}

async function hasMore(tx: Database, day: Day, seen: ReadonlyMap<string, number>): Promise<boolean> {
  const known = JSON.stringify([...seen].map(([id, seq]) => ({ id, seq })))
  const table = sql.raw(`weir.${partitionName('entries', day)}`)
  const { rows } = (await tx.execute(sql`
    SELECT EXISTS (
      SELECT FROM json_to_recordset(${known}::json) AS known(id uuid, seq bigint)
      WHERE EXISTS (SELECT FROM ${table} AS entry WHERE entry.stream_id = known.id AND entry.seq > known.seq)
    ) AS more`)) as { rows: { more: boolean }[] }
  return rows[0]?.more !== false
}

/** Size of a whole table, with indexes and TOAST data. */
export async function tableBytes(db: Database, table: 'bases' | 'long_rollups'): Promise<number> {
  const { rows } = (await db.execute(
    sql`SELECT pg_total_relation_size(${`weir.${table}`}::regclass)::float8 AS bytes`,
  )) as { rows: { bytes: number }[] }
  return rows[0]?.bytes ?? 0
}
