import { and, asc, desc, eq, gt, gte, inArray, lt, lte, type SQL, sql } from 'drizzle-orm'
import { checkpoints, entries, rollups } from '../../drizzle/schema.ts'
import type { Database } from '../storage/storage.ts'
import type { Entry, EntryKind, Exchange } from './entry.ts'

export interface LogQuery {
  kinds?: readonly EntryKind[]
  /** Only entries from this instant on, and before that one. */
  from?: Date
  to?: Date
  /** Entries after this `seq`, oldest first; or the last ones before that `seq`. Neither: the latest. */
  after?: number
  before?: number
  limit: number
}

export interface LogPage {
  /** In the order of `seq`. */
  items: Entry[]
  /** Cursors to go on with: to older entries, and to newer ones. */
  before: number | undefined
  after: number | undefined
}

/** Entries read at a time when a whole log is streamed. */
const PAGE = 500

/** One page of a stream's log. */
export async function readLog(db: Database, streamId: string, query: LogQuery): Promise<LogPage> {
  const forward = query.after !== undefined
  const rows = await db
    .select()
    .from(entries)
    .where(await matching(db, streamId, query))
    .orderBy(forward ? asc(entries.seq) : desc(entries.seq))
    .limit(query.limit)
  const items = rows.map(toEntry)
  if (!forward) items.reverse()
  return { items, before: items[0]?.seq, after: items.at(-1)?.seq ?? query.after }
}

/** The whole log that matches, page by page, oldest first; what is recorded meanwhile is included. */
export async function* readWholeLog(
  db: Database,
  streamId: string,
  query: Omit<LogQuery, 'limit'>,
): AsyncGenerator<Entry[]> {
  let after = query.after ?? 0
  for (;;) {
    const { items } = await readLog(db, streamId, { ...query, after, limit: PAGE })
    if (items.length > 0) yield items
    if (items.length < PAGE) return
    after = (items.at(-1) as Entry).seq
  }
}

/** One entry; `undefined` when there is none of that number. */
export async function readEntry(db: Database, streamId: string, seq: number): Promise<Entry | undefined> {
  const [row] = await db
    .select()
    .from(entries)
    .where(and(eq(entries.streamId, streamId), eq(entries.seq, seq)))
  return row && toEntry(row)
}

/** What is stored of an upstream event: enough to tell whether another one with its id is the same. */
export interface StoredEvent {
  kind: EntryKind
  /** MD5 of the data in hex: it tells replays from reused ids, nothing more. */
  md5: string
}

/** How far back an upstream's replay is recognised, in entries. */
const REPLAY_ENTRIES = 10_000

/** Which of these upstream ids the stream's last entries have. */
export async function storedEvents(
  db: Database,
  streamId: string,
  eventIds: readonly string[],
): Promise<Map<string, StoredEvent>> {
  const last = await lastSeq(db, streamId)
  const rows = await db
    .select({ id: entries.eventId, kind: entries.kind, md5: sql<string>`md5(coalesce(${entries.data}, ''))` })
    .from(entries)
    .where(
      and(
        eq(entries.streamId, streamId),
        gt(entries.seq, last - REPLAY_ENTRIES),
        inArray(entries.eventId, [...eventIds]),
      ),
    )
  return new Map(rows.map(({ id, kind, md5 }) => [id ?? '', { kind, md5 }]))
}

/** Number of the last entry; 0 when there is none yet. */
export async function lastSeq(db: Database, streamId: string): Promise<number> {
  const [row] = await db
    .select({ seq: checkpoints.seq })
    .from(checkpoints)
    .where(eq(checkpoints.streamId, streamId))
  return row?.seq ?? 0
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

/** Entries are found by `seq`; the rollups, a row a minute, say which numbers a span of time can have. */
async function between(
  db: Database,
  streamId: string,
  { from, to }: Pick<LogQuery, 'from' | 'to'>,
): Promise<SQL> {
  const [bounds] = await db
    .select({
      first: sql<string | null>`min(${rollups.firstSeq})`,
      last: sql<string | null>`max(${rollups.lastSeq})`,
    })
    .from(rollups)
    .where(
      and(
        eq(rollups.streamId, streamId),
        from && gte(rollups.minute, new Date(from.getTime() - 60_000)),
        to && lt(rollups.minute, to),
      ),
    )
  if (bounds?.first == null) return sql`false`
  return and(
    gte(entries.seq, Number(bounds.first)),
    lte(entries.seq, Number(bounds.last)),
    from && gte(entries.at, from),
    to && lt(entries.at, to),
  ) as SQL
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
