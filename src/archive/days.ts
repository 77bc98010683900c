import { and, asc, eq, ne, notInArray, sql } from 'drizzle-orm'
import { archiveDays } from '../../drizzle/schema.ts'
import { DAY_MS } from '../core/time.ts'
import { type Day, startOfDay } from '../storage/partitions.ts'
import type { Database } from '../storage/storage.ts'
import { ArchiveError, type ArchiveErrorCode } from './errors.ts'

/**
 * How long after its end, in UTC, a day is closed, in milliseconds. Entries from just before midnight may still be
 * queued, for batching or because the database is unreachable for a moment. Entries that arrive even later are found
 * before the day is dropped, and archived then.
 */
export const CLOSE_AFTER_MS = 10 * 60_000

export type ArchiveDay = typeof archiveDays.$inferSelect

/** The first and last instant of a day. */
export function spanOf(day: Day): { from: Date; to: Date } {
  const start = startOfDay(day)
  return { from: new Date(start), to: new Date(start + DAY_MS - 1) }
}

/** When a day is closed. */
export function closesAt(day: Day): Date {
  return new Date(startOfDay(day) + DAY_MS + CLOSE_AFTER_MS)
}

/**
 * The earliest day that has entries and isn't archived; it may still be open.
 * @param except days to skip because they were tried just now
 */
export async function nextDay(db: Database, except: readonly Day[] = []): Promise<Day | undefined> {
  const others = except.length === 0 ? undefined : notInArray(archiveDays.day, [...except])
  const [begun] = await db
    .select({ day: archiveDays.day })
    .from(archiveDays)
    .where(and(ne(archiveDays.state, 'done'), others))
    .orderBy(asc(archiveDays.day))
    .limit(1)
  return begun?.day ?? firstDayAfterAll(db)
}

/**
 * The first day with entries after all days whose archiving has begun. It is found in the rollups, whose minutes have
 * an index: a query per stream took 0.7 s for 10,000 streams.
 */
async function firstDayAfterAll(db: Database): Promise<Day | undefined> {
  const { rows } = (await db.execute(sql`
    SELECT to_char(min(minute) AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day FROM weir.rollups
    WHERE minute >= coalesce(
      (SELECT (max(day) + 1)::timestamp AT TIME ZONE 'UTC' FROM weir.archive_days), '-infinity')`)) as unknown as {
    rows: { day: string | null }[]
  }
  return rows[0]?.day ?? undefined
}

/** Starts archiving a day, or resumes it. */
export async function beginDay(db: Database, day: Day, now: Date): Promise<ArchiveDay> {
  const [begun] = await db
    .insert(archiveDays)
    .values({ day, state: 'running', startedAt: now })
    .onConflictDoUpdate({
      target: archiveDays.day,
      set: { state: 'running', error: null, errorCode: null, endedAt: null },
    })
    .returning()
  return begun as ArchiveDay
}

export async function endDay(db: Database, day: Day, now: Date): Promise<void> {
  await db.update(archiveDays).set({ state: 'done', endedAt: now }).where(eq(archiveDays.day, day))
}

/** Records why a day isn't archived; what was already archived stays archived. */
export async function failDay(db: Database, day: Day, error: unknown, now: Date): Promise<void> {
  const known = error instanceof ArchiveError
  const errorCode: ArchiveErrorCode = known ? error.code : 'failed'
  const text = known ? error.message : 'Internal error; see the log of Weir for details.'
  await db
    .update(archiveDays)
    .set({ state: 'failed', errorCode, error: text, endedAt: now })
    .where(eq(archiveDays.day, day))
}

/**
 * Whether a day may be dropped from the database: everything it holds is archived, or it holds nothing. A day that
 * got entries after it was closed is reopened, and the next run archives them.
 */
export async function mayDrop(db: Database, day: Day): Promise<boolean> {
  const { from, to } = spanOf(day)
  const { rows } = (await db.execute(sql`
    SELECT (SELECT state FROM weir.archive_days WHERE day = ${day}) AS state,
      EXISTS (
        SELECT FROM weir.streams AS stream
        LEFT JOIN weir.archives AS archive ON archive.stream_id = stream.id AND archive.day = ${day}
        WHERE EXISTS (
          SELECT FROM weir.entries AS entry
          WHERE entry.stream_id = stream.id AND entry.seq > coalesce(archive.last_seq, 0)
            AND entry.at >= ${from.toISOString()}::timestamptz AND entry.at <= ${to.toISOString()}::timestamptz
        )
      ) AS late`)) as unknown as { rows: [{ state: ArchiveDay['state'] | null; late: boolean }] }
  const [{ state, late }] = rows
  if (state === 'done' && late) {
    const again = { state: 'running', cursor: null, streams: 0, bytes: 0, endedAt: null } as const
    await db.update(archiveDays).set(again).where(eq(archiveDays.day, day))
  }
  return (state === 'done' || state === null) && !late
}
