import { archiveDays } from '../../drizzle/schema.ts'
import { type Day, dayOf, listPartitions } from '../storage/partitions.ts'
import { type DropReason, logSize, tableBytes } from './drop.ts'
import { type MarkName, readMarks } from './marks.ts'
import { entriesByDay, type RetentionBounds, type RetentionDeps } from './retain.ts'

/** The contents of the database, and its limits. */
export interface StorageReport {
  /** Newest first. */
  days: {
    day: Day
    /** On disk, with indexes. */
    bytes: number
    /** Entries recorded in the day, including those that streams' own limits have deleted since. */
    entries: number
    archive: 'running' | 'done' | 'failed' | null
  }[]
  log: { bytes: number; entries: number }
  /** Minute, hourly and daily rollups, with the paths that changed. */
  sums: { bytes: number }
  bounds: { days: number; maxEntries: number | null; maxBytes: number | null; minutesDays: number }
  /** `over`: nothing may be dropped because it isn't archived; recording continues beyond the limit. */
  state: 'within' | 'over'
  /** Since when the limit is exceeded, and the first day that isn't archived. */
  blocked: { since: Date; reason: string; day: Day } | null
  lastDrop: { at: Date; day: Day; reason: DropReason; bytes: number } | null
  /** When today's oldest entries were last deleted to stay below the limit. */
  lastTrim: Date | null
}

export async function storageReport({ db, bounds, now }: RetentionDeps): Promise<StorageReport> {
  const [size, counts, marks, archived, sums] = await Promise.all([
    logSize(db),
    entriesByDay(db, now()),
    readMarks(db, ['blocked', 'dropped', 'trimmed'] satisfies MarkName[]),
    db.select({ day: archiveDays.day, state: archiveDays.state }).from(archiveDays),
    listPartitions(db, ['rollups', 'path_rollups']),
  ])
  const states = new Map(archived.map(({ day, state }) => [day, state]))
  const days = size.days
    .filter(({ day }) => day <= dayOf(now()) || counts.has(day))
    .map(({ day, bytes }) => ({
      day,
      bytes,
      entries: counts.get(day) ?? 0,
      archive: states.get(day) ?? null,
    }))
  const blocked = marks.get('blocked')
  const dropped = marks.get('dropped')
  return {
    days: days.reverse(),
    log: { bytes: size.totalBytes, entries: days.reduce((sum, { entries }) => sum + entries, 0) },
    sums: { bytes: sums.reduce((sum, { bytes }) => sum + bytes, await tableBytes(db, 'long_rollups')) },
    bounds: boundsJson(bounds),
    state: blocked === undefined ? 'within' : 'over',
    blocked:
      blocked === undefined
        ? null
        : { since: blocked.at, ...(blocked.detail as { reason: string; day: Day }) },
    lastDrop:
      dropped === undefined
        ? null
        : { at: dropped.at, ...(dropped.detail as { day: Day; reason: DropReason; bytes: number }) },
    lastTrim: marks.get('trimmed')?.at ?? null,
  }
}

function boundsJson({ retentionDays, retentionMaxEntries, retentionMaxBytes, minutesDays }: RetentionBounds) {
  const [maxEntries, maxBytes] = [retentionMaxEntries ?? null, retentionMaxBytes ?? null]
  return { days: retentionDays, maxEntries, maxBytes, minutesDays }
}
