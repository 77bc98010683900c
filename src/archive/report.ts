import { desc, lte, sql } from 'drizzle-orm'
import { archiveDays, streams } from '../../drizzle/schema.ts'
import type { Database } from '../storage/storage.ts'
import type { Bucket } from './bucket.ts'
import { type ArchiveDay, closesAt, nextDay } from './days.ts'

/** The archive's contents, progress and errors. */
export interface ArchiveReport {
  isConfigured: boolean
  /** Its location as a URL; null if it isn't configured. */
  target: string | null
  /** Newest first. */
  days: (Omit<ArchiveDay, 'cursor'> & { progress: number })[]
  /** Over all days. `objects` counts pairs of stream and day. */
  totals: { days: number; objects: number; bytes: number }
  /** The earliest day with entries that isn't archived, and when it closes. */
  next: { day: string; closesAt: Date; isClosed: boolean } | null
}

export interface ReportDeps {
  db: Database
  bucket: Bucket | undefined
  now(): number
}

/** Days in one report. */
const MAX_DAYS = 400

export async function archiveReport({ db, bucket, now }: ReportDeps): Promise<ArchiveReport> {
  const days = await db.select().from(archiveDays).orderBy(desc(archiveDays.day)).limit(MAX_DAYS)
  const [totals] = await db
    .select({
      days: sql`count(*) FILTER (WHERE ${archiveDays.state} = 'done')`.mapWith(Number),
      objects: sql`coalesce(sum(${archiveDays.streams}), 0)`.mapWith(Number),
      bytes: sql`coalesce(sum(${archiveDays.bytes}), 0)`.mapWith(Number),
    })
    .from(archiveDays)
  const next = await nextDay(db)
  const told = days.map(async ({ cursor, ...day }) => ({
    ...day,
    progress: await progressOf(db, day.state, cursor),
  }))
  return {
    isConfigured: bucket !== undefined,
    target: bucket?.urlOf(bucket.prefix) ?? null,
    days: await Promise.all(told),
    totals: totals ?? { days: 0, objects: 0, bytes: 0 },
    next:
      next === undefined
        ? null
        : { day: next, closesAt: closesAt(next), isClosed: closesAt(next).getTime() <= now() },
  }
}

/** A day's progress, from 0 to 1: streams are archived in the order of their IDs. */
async function progressOf(db: Database, state: ArchiveDay['state'], cursor: string | null): Promise<number> {
  if (state === 'done') return 1
  if (cursor === null) return 0
  const [count] = await db
    .select({
      passed: sql`count(*) FILTER (WHERE ${lte(streams.id, cursor)})`.mapWith(Number),
      all: sql`count(*)`.mapWith(Number),
    })
    .from(streams)
  return count === undefined || count.all === 0 ? 0 : count.passed / count.all
}
