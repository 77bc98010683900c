import { asc, eq, type SQL, sql } from 'drizzle-orm'
import { archives, bases, entries } from '../../../drizzle/schema.ts'
import { STEPS_MS, type Step } from '../../core/measures.ts'
import { VERSION_KINDS_SQL } from '../../core/sets/entry-kinds.ts'
import { startOfDay } from '../../storage/partitions.ts'
import type { Database } from '../../storage/storage.ts'
import { receivedOf } from '../measures/by-kind.ts'
import { rollupsWithin } from '../measures/rollup-source.ts'
import type { ReadVersions } from './versions.ts'

/** The time range that is shown: all versions, or the UTC day or hour around a moment. */
export const ZOOMS = ['all', 'day', 'hour'] as const
export type Zoom = (typeof ZOOMS)[number]

/** One version, or the last of several within an interval. */
export interface VersionMark {
  /** The entry that produced the document. */
  seq: number
  /** When that was; for several versions, the end of their interval. */
  at: Date
  versions: number
}

/** The versions within a window, in order; at most {@link MAX_MARKS} marks. */
export interface Marks {
  from: Date
  to: Date
  /** Length of the intervals in which versions are counted, in milliseconds; 0 if each version has its own mark. */
  stepMs: number
  marks: VersionMark[]
}

/** Marks in a window: about as many as a pointer can hit on a wide screen. */
export const MAX_MARKS = 240
/** Possible intervals of a mark, shortest first. */
const MARK_STEPS_MS = [1, 2, 5, 10, 15, 30].map((minutes) => minutes * STEPS_MS.minute)
MARK_STEPS_MS.push(...[1, 2, 3, 6, 12].map((hours) => hours * STEPS_MS.hour))
const RECEIVED = receivedOf(sql.raw('streams.kind'), {
  events: sql.raw('rollup.events'),
  polls: sql.raw('rollup.polls'),
})
/** A version is a body that differs from the previous one, or the first body. */
const VERSIONS = sql`rollup.changed
  + greatest(${RECEIVED} - rollup.compared, 0)`

/**
 * Locates the versions of a stream's document by its rollups: a hundred thousand of them take no longer, and the
 * archive isn't read, except for the few of an archived day.
 * @param around the moment whose day or hour is meant
 * @returns undefined if there is none
 */
export async function versionMarks(
  db: Database,
  read: ReadVersions,
  streamId: string,
  { zoom, around, now }: { zoom: Zoom; around: Date; now: number },
): Promise<Marks | undefined> {
  const life = await lifeOf(db, streamId)
  if (life === undefined) return undefined
  const window = windowOf(zoom, around, { from: life.from, to: new Date(now + 1) })
  const stepMs = markStep(window.to.getTime() - window.from.getTime())
  const buckets = await bucketsOf(db, streamId, window, stepMs)
  const first = buckets[0]
  if (first === undefined) return zoom === 'all' ? undefined : { ...window, stepMs, marks: [] }
  const versions = buckets.reduce((sum, bucket) => sum + bucket.versions, 0)
  const isShort = window.to.getTime() - window.from.getTime() <= STEPS_MS.day
  // For longer windows the archive would be read day by day, for a mark or two each.
  const isNear = isShort || !life.isArchived
  if (versions <= MAX_MARKS && isNear) {
    const range = { from: first.firstSeq, to: buckets.at(-1)?.seq }
    const kept = await read(streamId, { ...range, only: 'received', limit: MAX_MARKS + 1, maxDataBytes: 0 })
    const within = kept.filter(({ at }) => at >= window.from && at < window.to)
    if (within.length > 0 && within.length <= MAX_MARKS) {
      const marks = within.map(({ seq, at }) => ({ seq, at, versions: 1 }))
      return { ...fitted(window, zoom, marks, 0), stepMs: 0, marks }
    }
  }
  const marks = buckets.map(({ seq, startMs, versions }) => {
    return { seq, versions, at: new Date(Math.min(startMs + stepMs, window.to.getTime()) - 1) }
  })
  return { ...fitted(window, zoom, marks, stepMs), stepMs, marks }
}

/** When the oldest remaining version was made: to the day if it is archived. */
async function lifeOf(
  db: Database,
  streamId: string,
): Promise<{ from: Date; isArchived: boolean } | undefined> {
  const [[archived], [kept], [base]] = await Promise.all([
    db
      .select({ day: archives.day })
      .from(archives)
      .where(eq(archives.streamId, streamId))
      .orderBy(asc(archives.day))
      .limit(1),
    db
      .select({ at: entries.at })
      .from(entries)
      .where(sql`${entries.streamId} = ${streamId} AND ${entries.kind} IN (${sql.raw(VERSION_KINDS_SQL)})`)
      .orderBy(asc(entries.seq))
      .limit(1),
    db.select({ at: bases.at }).from(bases).where(eq(bases.streamId, streamId)),
  ])
  const day = archived && new Date(startOfDay(archived.day))
  const first = [day, kept?.at, base?.at].filter((at) => at !== undefined)
  if (first.length === 0) return undefined
  const from = new Date(Math.min(...first.map((at) => at.getTime())))
  return { from, isArchived: day !== undefined }
}

function windowOf(zoom: Zoom, around: Date, life: { from: Date; to: Date }): { from: Date; to: Date } {
  if (zoom === 'all') return life
  const from = Math.floor(around.getTime() / STEPS_MS[zoom]) * STEPS_MS[zoom]
  return { from: new Date(from), to: new Date(from + STEPS_MS[zoom]) }
}

/** A whole life is shown from its first mark to its last; a day and an hour are shown in full. */
function fitted(window: { from: Date; to: Date }, zoom: Zoom, marks: readonly VersionMark[], stepMs: number) {
  const [first, last] = [marks[0], marks.at(-1)]
  if (zoom !== 'all' || first === undefined || last === undefined) return window
  const from = new Date(Math.max(first.at.getTime() - stepMs, window.from.getTime()))
  return { from, to: new Date(last.at.getTime() + 1) }
}

/** A window that begins within an interval has part of one more. */
function markStep(spanMs: number): number {
  const step = MARK_STEPS_MS.find((each) => spanMs / each <= MAX_MARKS - 1)
  return step ?? Math.ceil(spanMs / (MAX_MARKS - 1) / STEPS_MS.day) * STEPS_MS.day
}

interface Bucket {
  startMs: number
  firstSeq: number
  seq: number
  versions: number
}

async function bucketsOf(
  db: Database,
  streamId: string,
  { from, to }: { from: Date; to: Date },
  stepMs: number,
): Promise<Bucket[]> {
  const source = await rollupsWithin(db, from, to, stepOf(stepMs))
  const bucket: SQL = sql`floor(extract(epoch FROM rollup.at) * 1000 / ${stepMs}::float8)`
  const { rows } = (await db.execute(sql`
    SELECT ${bucket} AS bucket, min(rollup.first_seq)::float8 AS first_seq, max(rollup.last_seq)::float8 AS last_seq,
      sum(${VERSIONS})::float8 AS versions
    FROM ${source}
    WHERE rollup.stream_id = ${streamId} AND ${VERSIONS} > 0
    GROUP BY 1 ORDER BY 1`)) as {
    rows: { bucket: number; first_seq: number; last_seq: number; versions: number }[]
  }
  return rows.map((row) => ({
    startMs: Number(row.bucket) * stepMs,
    firstSeq: Number(row.first_seq),
    seq: Number(row.last_seq),
    versions: Number(row.versions),
  }))
}

/** The rollups that are fine enough for such intervals. */
function stepOf(ms: number): Step {
  if (ms % STEPS_MS.day === 0) return 'day'
  return ms % STEPS_MS.hour === 0 ? 'hour' : 'minute'
}
