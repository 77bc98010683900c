import { and, asc, desc, eq, gt, sql } from 'drizzle-orm'
import { archiveDays, archives, streams } from '../../drizzle/schema.ts'
import type { Day } from '../storage/partitions.ts'
import { type ArchiveStreamDeps, archiveStream } from './archive-stream.ts'
import { beginDay, closesAt, endDay, failDay, nextDay, spanOf } from './days.ts'
import { ArchiveError } from './errors.ts'

/** How long a day that failed rests before it is tried again by itself, in milliseconds. */
export const RETRY_AFTER_MS = 15 * 60_000
/** Streams looked up at a time. */
const PAGE = 100
/** Objects of removed streams that one run removes at most. */
const SWEEP = 1_000

export interface ArchiveDeps extends ArchiveStreamDeps {
  /** Told of faults that are Weir's own. */
  warn(message: string, error?: unknown): void
}

/**
 * Archives every closed day that isn't, the earliest first, and goes on where an earlier run stopped. What the archive
 * itself refuses ends the run; the day says why.
 * @param signal ends it after what is under way
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

/** Has a run made where one would have something to do: a closed day that isn't archived, and didn't fail just now. */
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

/** @returns whether to go on with other days */
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
    // Whoever goes on later finds the day as it is.
    if (signal.aborted) return false
    const isArchives = error instanceof ArchiveError
    if (!isArchives) deps.warn(`Archiving ${day} failed`, error)
    await failDay(db, day, error, new Date(now()))
    return !isArchives
  }
}

/** Streams that have something of the day, by their rollups. */
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

/** Removes what lies in the archive of streams that were removed. */
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
