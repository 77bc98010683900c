import { and, eq, isNotNull, sql } from 'drizzle-orm'
import { entries, streams } from '../../drizzle/schema.ts'
import { type Day, dayOf, startOfDay } from '../storage/partitions.ts'
import type { Database } from '../storage/storage.ts'
import { type Contents, deleteBodies } from '../streams/recording/bodies.ts'
import { type BaseDeps, keepBaseOfStream } from './bases.ts'

/** Entries deleted in one statement, so that recording continues in between. */
const DELETE_STEP = 1_000
/** Entries of one stream deleted in one pass; the rest follow in later ones. */
const MOST_PER_PASS = 50_000
/** Entries whose sizes are added up in one statement. */
const SIZES_STEP = 5_000
/** Assumed size of an entry without its content, in bytes. */
export const ENTRY_BYTES = 256

export interface TrimDeps extends BaseDeps {
  now(): number
  /** Whether all entries of a day are archived; omitted without an archive. Only archived days are deleted. */
  mayDrop?: (db: Database, day: Day) => Promise<boolean>
}

/** Keeps every stream that has its own limits within them. */
export async function trimStreams(deps: TrimDeps): Promise<number> {
  const { db } = deps
  const bounded = await db
    .select({ id: streams.id, retention: streams.retention })
    .from(streams)
    .where(isNotNull(streams.retention))
  let deleted = 0
  const before = await unarchivedFrom(deps)
  for (const { id, retention } of bounded) {
    const { maxAgeMs, maxEntries, maxBytes } = retention ?? {}
    const cuts = await Promise.all([
      maxAgeMs === undefined ? 0 : lastBefore(db, id, deps.now() - maxAgeMs),
      maxEntries === undefined ? 0 : beyondCount(db, id, maxEntries),
      maxBytes === undefined ? 0 : beyondBytes(db, id, maxBytes),
    ])
    const wanted = Math.max(...cuts)
    const allowed = Math.min(wanted, before === undefined ? wanted : await lastBefore(db, id, before))
    deleted += await trimStream(deps, id, allowed)
  }
  return deleted
}

/**
 * Deletes the first entries of a stream's log, oldest first, so that the rest has no holes, and the bodies that no
 * other entry needs.
 * @returns how many were deleted; fewer than requested if there are more than one pass deletes
 */
export async function trimStream(deps: BaseDeps, streamId: string, upTo: number): Promise<number> {
  const { db } = deps
  if (upTo <= 0) return 0
  await keepBaseOfStream(deps, streamId, upTo)
  let deleted = 0
  while (deleted < MOST_PER_PASS) {
    const gone = await deleteFirst(db, streamId, upTo)
    deleted += gone.length
    await deleteBodies(db, gone)
    if (gone.length < DELETE_STEP) break
  }
  return deleted
}

async function deleteFirst(db: Database, streamId: string, upTo: number): Promise<Omit<Contents, 'data'>[]> {
  const first = sql`(SELECT seq FROM weir.entries WHERE stream_id = ${streamId}::uuid AND seq <= ${upTo}::bigint
    ORDER BY seq LIMIT ${DELETE_STEP}::int)`
  return db
    .delete(entries)
    .where(
      and(eq(entries.streamId, streamId), sql`${entries.seq} <= (SELECT max(seq) FROM ${first} AS step)`),
    )
    .returning({ at: entries.at, bodyKey: entries.bodyKey })
}

/**
 * The last entry before an instant, of all streams; 0 if there is none. By whole minutes or, once those are dropped,
 * hours.
 */
export async function lastBefore(db: Database, streamId: string, ms: number): Promise<number> {
  const until = new Date(ms).toISOString()
  const { rows } = (await db.execute(sql`
    SELECT greatest(
      (SELECT last_seq FROM weir.rollups WHERE stream_id = ${streamId}::uuid
        AND minute <= ${until}::timestamptz - interval '1 minute' ORDER BY minute DESC LIMIT 1),
      (SELECT last_seq FROM weir.long_rollups WHERE stream_id = ${streamId}::uuid AND step = 'hour'
        AND at <= ${until}::timestamptz - interval '1 hour' ORDER BY at DESC LIMIT 1)
    )::float8 AS seq`)) as { rows: { seq: number | null }[] }
  return rows[0]?.seq ?? 0
}

/** The start of the first day that isn't archived, in milliseconds; `undefined` without an archive. */
export async function unarchivedFrom({ db, now, mayDrop }: TrimDeps): Promise<number | undefined> {
  if (mayDrop === undefined) return undefined
  const { rows } = (await db.execute(sql`
    SELECT min(day)::text AS day FROM (
      SELECT DISTINCT (at AT TIME ZONE 'UTC')::date AS day FROM weir.long_rollups WHERE step = 'day'
    ) AS recorded WHERE day NOT IN (SELECT day FROM weir.archive_days WHERE state = 'done')`)) as {
    rows: { day: Day | null }[]
  }
  const today = startOfDay(dayOf(now()))
  const first = rows[0]?.day
  return first == null ? today : Math.min(today, startOfDay(first))
}

async function beyondCount(db: Database, streamId: string, most: number): Promise<number> {
  const { rows } = (await db.execute(sql`
    SELECT (seq - ${most}::bigint)::float8 AS seq FROM weir.checkpoints WHERE stream_id = ${streamId}::uuid`)) as {
    rows: { seq: number }[]
  }
  return rows[0]?.seq ?? 0
}

/** The newest entry that doesn't fit: content counts for every entry that refers to it. */
async function beyondBytes(db: Database, streamId: string, most: number): Promise<number> {
  let left = most
  let before = Number.MAX_SAFE_INTEGER
  for (;;) {
    const { rows } = (await db.execute(sql`
      SELECT seq::float8 AS seq, coalesce(octet_length(entry.data), 0) + coalesce((
        SELECT octet_length(body.data) FROM weir.bodies AS body
        WHERE body.day = (entry.at AT TIME ZONE 'UTC')::date AND body.key = entry.body_key
      ), 0) AS bytes
      FROM weir.entries AS entry WHERE stream_id = ${streamId}::uuid AND seq < ${before}::bigint
      ORDER BY seq DESC LIMIT ${SIZES_STEP}::int`)) as { rows: { seq: number; bytes: number }[] }
    for (const { seq, bytes } of rows) {
      left -= bytes + ENTRY_BYTES
      if (left < 0) return seq
    }
    if (rows.length < SIZES_STEP) return 0
    before = rows.at(-1)?.seq ?? 0
  }
}
