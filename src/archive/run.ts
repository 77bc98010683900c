import { and, asc, desc, eq, gt, sql } from 'drizzle-orm'
import { archiveDays, archives, streams } from '../../drizzle/schema.ts'
import type { Day } from '../storage/partitions.ts'
import { type ArchiveStreamDeps, archiveStream } from './archive-stream.ts'
import { beginDay, closesAt, endDay, failDay, nextDay, spanOf } from './days.ts'
import { ArchiveError } from './errors.ts'

/** How long a failed day waits before it is retried automatically, in milliseconds. */
export const RETRY_AFTER_MS = 15 * 60_000
/** Streams fetched at a time. */
const PAGE = 100
/** Objects of removed streams that one run deletes at most. */
const SWEEP = 1_000

export interface ArchiveDeps extends ArchiveStreamDeps {
  /** Called for errors in Weir itself. */
  warn(message: string, error?: unknown): void
}

/**
 * Archives every closed day that isn't archived, oldest first, and resumes where an earlier run stopped. An error of
 * the archive ends the run and is recorded on the day.
 * @param signal ends the run after the object in progress
 */
export async function archiveClosedDays(deps: ArchiveDeps, signal: AbortSignal): Promise<void> {
  const tried: Day[] = []
  while (!signal.aborted) {
    const day = await nextDay(deps.db, tried)
    if (day === undefined || tried.includes(day) || closesAt(day).getTime() > deps.now()) break
    tried.push(day)
    if (!(await archiveDay(deps, day, signal))) return
  }
  await sweep(deps, signal)
}

/** Starts a run if there is work: a closed day that isn't archived and didn't fail recently. */
export async function archiveWhenDue(
  { db, now }: Pick<ArchiveDeps, 'db' | 'now'>,
  runLater: () => Promise<void>,
): Promise<void> {
  const day = await nextDay(db)
  if (day === undefined || closesAt(day).getTime() > now()) return
  const [failed] = await db
    .select({ endedAt: archiveDays.endedAt })
    .from(archiveDays)
    .where(eq(archiveDays.state, 'failed'))
    .orderBy(desc(archiveDays.endedAt))
    .limit(1)
  if ((failed?.endedAt?.getTime() ?? 0) + RETRY_AFTER_MS <= now()) await runLater()
}

/** @returns whether to continue with other days */
async function archiveDay(deps: ArchiveDeps, day: Day, signal: AbortSignal): Promise<boolean> {
  const { db, now } = deps
  try {
    let { cursor } = await beginDay(db, day, new Date(now()))
    for (;;) {
      const page = await streamsAfter(deps, day, cursor)
      for (const { id } of page) {
        if (signal.aborted) return false
        await archiveStream(deps, id, day, signal)
      }
      cursor = page.at(-1)?.id ?? null
      if (page.length < PAGE) break
    }
    await endDay(db, day, new Date(now()))
    return true
  } catch (error) {
    // The next run finds the day as it is now.
    if (signal.aborted) return false
    const isArchives = error instanceof ArchiveError
    if (!isArchives) deps.warn(`Archiving ${day} failed`, error)
    await failDay(db, day, error, new Date(now()))
    return !isArchives
  }
}

/** Streams with entries on the day, according to their rollups. */
function streamsAfter({ db }: ArchiveDeps, day: Day, cursor: string | null) {
  const { from, to } = spanOf(day)
  const isRecorded = sql`EXISTS (SELECT FROM weir.rollups AS rollup WHERE rollup.stream_id = ${streams.id}
    AND rollup.minute >= ${from.toISOString()}::timestamptz AND rollup.minute <= ${to.toISOString()}::timestamptz)`
  return db
    .select({ id: streams.id })
    .from(streams)
    .where(and(isRecorded, cursor === null ? undefined : gt(streams.id, cursor)))
    .orderBy(asc(streams.id))
    .limit(PAGE)
}

/** Removes archived objects of streams that were removed. */
async function sweep({ db, bucket, warn }: ArchiveDeps, signal: AbortSignal): Promise<void> {
  const rows = await db
    .select({ streamId: archives.streamId, day: archives.day, key: archives.key })
    .from(archives)
    .where(sql`NOT EXISTS (SELECT FROM weir.streams AS stream WHERE stream.id = ${archives.streamId})`)
    .orderBy(desc(archives.day))
    .limit(SWEEP)
  try {
    for (const { streamId, day, key } of rows) {
      await bucket.remove(key, signal)
      await db.delete(archives).where(and(eq(archives.streamId, streamId), eq(archives.day, day)))
    }
  } catch (error) {
    if (signal.aborted) return
    if (!(error instanceof ArchiveError)) throw error
    warn(`Can't delete the archived objects of removed streams: ${error.message}`)
  }
}
