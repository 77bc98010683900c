import { and, asc, desc, eq, gt, gte, inArray, lt, lte, type SQL, sql } from 'drizzle-orm'
import { checkpoints, entries, longRollups, rollups, streams } from '../../../drizzle/schema.ts'
import { withArchived } from '../../archive/read-through.ts'
import type { Archived } from '../../archive/reader.ts'
import type { EntryKind } from '../../core/sets/entry-kinds.ts'
import { HOUR_MS, MINUTE_MS } from '../../core/time.ts'
import type { Database } from '../../storage/storage.ts'
import { dayAndKeyOf, md5OfBodies, withBodies } from '../recording/bodies.ts'
import type { Entry, Exchange } from '../recording/entry.ts'

export interface LogQuery {
  kinds?: readonly EntryKind[]
  /** Only entries from this instant on, and before that one. */
  from?: Date
  to?: Date
  /** Entries after this `seq`, oldest first; or the last ones before that `seq`. If both are omitted: the latest. */
  after?: number
  before?: number
  limit: number
}

export interface LogPage {
  /** Ordered by `seq`. */
  items: Entry[]
  /** Cursors for older and for newer entries. */
  before: number | undefined
  after: number | undefined
}

/** Entries read at a time to stream a whole log. */
const PAGE = 500

/**
 * One page of a stream's log.
 * @param archived reads entries that left the database; if omitted, they are left out
 */
export async function readLog(
  db: Database,
  streamId: string,
  query: LogQuery,
  archived?: Archived,
): Promise<LogPage> {
  const forward = query.after !== undefined
  const rows = await db
    .select()
    .from(entries)
    .where(await matching(db, streamId, query))
    .orderBy(forward ? asc(entries.seq) : desc(entries.seq))
    .limit(query.limit)
  const kept = (await withBodies(db, rows)).map(toEntry)
  const items = archived === undefined ? kept : await withArchived(archived, streamId, query, kept)
  if (!forward) items.reverse()
  return { items, before: items[0]?.seq, after: items.at(-1)?.seq ?? query.after }
}

/** The whole log that matches, page by page, oldest first, including what is recorded in the meantime. */
export async function* readWholeLog(
  db: Database,
  streamId: string,
  query: Omit<LogQuery, 'limit'>,
  archived?: Archived,
): AsyncGenerator<Entry[]> {
  let after = query.after ?? 0
  for (;;) {
    const { items } = await readLog(db, streamId, { ...query, after, limit: PAGE }, archived)
    if (items.length > 0) yield items
    if (items.length < PAGE) return
    after = (items.at(-1) as Entry).seq
  }
}

/** One entry; `undefined` if there is none with that number. */
export async function readEntry(
  db: Database,
  streamId: string,
  seq: number,
  archived?: Archived,
): Promise<Entry | undefined> {
  const rows = await db
    .select()
    .from(entries)
    .where(and(eq(entries.streamId, streamId), eq(entries.seq, seq)))
  const [row] = await withBodies(db, rows)
  if (row !== undefined) return toEntry(row)
  const found = archived?.entries(streamId, { from: seq, to: seq })
  for await (const entry of found ?? []) return entry
  return undefined
}

/** What is stored of an upstream event: enough to decide whether another event with the same ID is the same. */
export interface StoredEvent {
  seq: number
  kind: EntryKind
  /** MD5 of the data in hex; only used to distinguish replays from reused IDs. */
  md5: string
}

/** Entries after one number, up to and including another. */
export interface SeqRange {
  after: number
  until: number
}

/** Which of these upstream IDs a stretch of the stream's log has; of an ID that occurs more than once, its last event. */
export async function storedEvents(
  db: Database,
  streamId: string,
  eventIds: readonly string[],
  { after, until }: SeqRange,
): Promise<Map<string, StoredEvent>> {
  const rows = await db
    .select({
      id: entries.eventId,
      seq: entries.seq,
      kind: entries.kind,
      at: entries.at,
      bodyKey: entries.bodyKey,
      md5: sql<string>`md5(coalesce(${entries.data}, ''))`,
    })
    .from(entries)
    .where(
      and(
        eq(entries.streamId, streamId),
        gt(entries.seq, after),
        lte(entries.seq, until),
        inArray(entries.eventId, [...eventIds]),
      ),
    )
    .orderBy(asc(entries.seq))
  const ofBodies = await md5OfBodies(db, rows)
  return new Map(
    rows.map((row) => [
      row.id ?? '',
      { seq: row.seq, kind: row.kind, md5: ofBodies.get(dayAndKeyOf(row)) ?? row.md5 },
    ]),
  )
}

/** Number of the oldest entry that is kept; `undefined` if there is none. */
export async function firstSeq(db: Database, streamId: string): Promise<number | undefined> {
  const [row] = await db
    .select({ seq: entries.seq })
    .from(entries)
    .where(eq(entries.streamId, streamId))
    .orderBy(asc(entries.seq))
    .limit(1)
  return row?.seq
}

/** Number of the last entry; 0 if there is none yet. */
export async function lastSeq(db: Database, streamId: string): Promise<number> {
  const [row] = await db
    .select({ seq: checkpoints.seq })
    .from(checkpoints)
    .where(eq(checkpoints.streamId, streamId))
  return row?.seq ?? 0
}

/**
 * The same for many streams.
 * @returns by stream, without those that don't exist
 */
export async function lastSeqs(db: Database, streamIds: readonly string[]): Promise<Map<string, number>> {
  const rows = await db
    .select({ id: streams.id, seq: checkpoints.seq })
    .from(streams)
    .leftJoin(checkpoints, eq(checkpoints.streamId, streams.id))
    .where(inArray(streams.id, [...new Set(streamIds)]))
  return new Map(rows.map(({ id, seq }) => [id, seq ?? 0]))
}

async function matching(
  db: Database,
  streamId: string,
  query: Omit<LogQuery, 'limit'>,
): Promise<SQL | undefined> {
  const conditions: (SQL | undefined)[] = [eq(entries.streamId, streamId)]
  if (query.kinds !== undefined) conditions.push(inArray(entries.kind, [...query.kinds]))
  if (query.after !== undefined) conditions.push(gt(entries.seq, query.after))
  if (query.before !== undefined) conditions.push(lt(entries.seq, query.before))
  if (query.from !== undefined || query.to !== undefined) conditions.push(await between(db, streamId, query))
  return and(...conditions)
}

/** Entries are found by `seq`; the rollups say which numbers a time span can have. */
async function between(
  db: Database,
  streamId: string,
  { from, to }: Pick<LogQuery, 'from' | 'to'>,
): Promise<SQL> {
  const minutes = db
    .select({ first: rollups.firstSeq, last: rollups.lastSeq })
    .from(rollups)
    .where(
      and(
        eq(rollups.streamId, streamId),
        from && gt(rollups.minute, new Date(from.getTime() - MINUTE_MS)),
        to && lt(rollups.minute, to),
      ),
    )
  const hours = db
    .select({ first: longRollups.firstSeq, last: longRollups.lastSeq })
    .from(longRollups)
    .where(
      and(
        eq(longRollups.streamId, streamId),
        eq(longRollups.step, 'hour'),
        lt(longRollups.at, sql`(SELECT at FROM weir.marks WHERE name = 'minutes')`),
        from && gt(longRollups.at, new Date(from.getTime() - HOUR_MS)),
        to && lt(longRollups.at, to),
      ),
    )
  const { rows } = (await db.execute(sql`
    SELECT min(first)::float8 AS first, max(last)::float8 AS last, max(summed_seq)::float8 AS summed
    FROM (SELECT summed_seq FROM weir.checkpoints WHERE stream_id = ${streamId}) AS checkpoint
    LEFT JOIN (${minutes} UNION ALL ${hours}) AS part (first, last) ON true`)) as { rows: Bounds[] }
  const { first, last, summed } = rows[0] ?? { first: null, last: null, summed: null }
  // Entries after the last rollup may be in any span that doesn't end before them.
  const fromSeq = first ?? (summed ?? 0) + 1
  const toSeq = first !== null && (last ?? 0) < (summed ?? 0) ? last : null
  return and(
    gte(entries.seq, fromSeq),
    toSeq === null ? undefined : lte(entries.seq, toSeq),
    from && gte(entries.at, from),
    to && lt(entries.at, to),
  ) as SQL
}

interface Bounds {
  first: number | null
  last: number | null
  summed: number | null
}

function toEntry(row: typeof entries.$inferSelect): Entry {
  return {
    streamId: row.streamId,
    seq: row.seq,
    at: row.at.getTime(),
    epoch: row.epoch,
    kind: row.kind,
    event: row.event ?? undefined,
    eventId: row.eventId ?? undefined,
    wireBytes: row.wireBytes,
    bodyBytes: row.bodyBytes,
    headBytes: row.headBytes ?? undefined,
    plainBytes: row.plainBytes ?? undefined,
    gzipBytes: row.gzipBytes ?? undefined,
    patchBytes: row.patchBytes ?? undefined,
    snapshotBytes: row.snapshotBytes ?? undefined,
    deflatedBytes: row.deflatedBytes ?? undefined,
    changed: row.changed ?? undefined,
    hash: row.hash ?? undefined,
    data: row.data ?? undefined,
    exchange: (row.exchange as Exchange | null) ?? undefined,
  }
}
