import { and, asc, desc, eq, gte, lte, type SQL, sql } from 'drizzle-orm'
import { bases, checkpoints, entries, longRollups, rollups } from '../../../drizzle/schema.ts'
import { VERSION_KINDS_SQL, type VersionKind } from '../../core/sets/entry-kinds.ts'
import type { Database } from '../../storage/storage.ts'
import { withBodies } from '../recording/bodies.ts'

/** A stored version of a document: a snapshot, or the patch on the version before. */
export interface Version {
  seq: number
  at: Date
  kind: VersionKind
  changed: boolean | undefined
  /** SHA-256 of the canonical document, in hex. */
  hash: string
  /** Size of the change as a patch, and of the document. */
  patchBytes: number | undefined
  snapshotBytes: number | undefined
  /** JSON text of the document or the patch; omitted if larger than requested. */
  data: string | undefined
}

export interface VersionQuery {
  /** Only versions with this range of `seq`, inclusive. */
  from?: number
  to?: number
  /** Only versions made until this instant. */
  until?: Date
  /** Only whole documents, including keyframes; or only received ones, without keyframes. Default: all. */
  only?: 'snapshots' | 'received'
  /** Default: oldest first. */
  newestFirst?: boolean
  limit: number
  /** Larger data is omitted, in bytes. Default: no limit. */
  maxDataBytes?: number
}

/** The versions of a stream that match, in order. */
export type ReadVersions = (streamId: string, query: VersionQuery) => Promise<Version[]>

/** Versions read at a time to rebuild a document. */
const PAGE = 50

/**
 * The versions in the database's log. If the first of them were dropped, the stream's base takes their place, as a
 * keyframe: the document as of the last dropped one.
 */
export function versionsIn(db: Database): ReadVersions {
  return async (streamId, query) => {
    const rows = await db
      .select({
        seq: entries.seq,
        at: entries.at,
        kind: entries.kind,
        changed: entries.changed,
        hash: entries.hash,
        patchBytes: entries.patchBytes,
        snapshotBytes: entries.snapshotBytes,
        data: upTo(entries.data, query.maxDataBytes),
        bodyKey: query.maxDataBytes === 0 ? sql<null>`NULL` : entries.bodyKey,
      })
      .from(entries)
      .where(matching(db, streamId, query))
      .orderBy(query.newestFirst ? desc(entries.seq) : asc(entries.seq))
      .limit(query.limit)
    const versions = (await withBodies(db, rows, query.maxDataBytes)).map(({ bodyKey, ...row }) => ({
      ...row,
      kind: row.kind as Version['kind'],
      changed: row.changed ?? undefined,
      hash: row.hash ?? '',
      patchBytes: row.patchBytes ?? undefined,
      snapshotBytes: row.snapshotBytes ?? undefined,
      data: row.data ?? undefined,
    }))
    const base = await baseOf(db, streamId, query)
    return base === undefined ? versions : withBase(versions, base, query)
  }
}

async function baseOf(db: Database, streamId: string, query: VersionQuery): Promise<Version | undefined> {
  const { from, to, until, only, maxDataBytes } = query
  if (only === 'received') return undefined
  const [row] = await db
    .select({
      seq: bases.seq,
      at: bases.at,
      hash: bases.hash,
      data: upTo(bases.data, maxDataBytes),
      snapshotBytes: sql<number>`octet_length(${bases.data})`,
    })
    .from(bases)
    .where(
      and(
        eq(bases.streamId, streamId),
        from === undefined ? undefined : gte(bases.seq, from),
        to === undefined ? undefined : lte(bases.seq, to),
        until && lte(bases.at, until),
      ),
    )
  if (row === undefined) return undefined
  return { ...row, kind: 'snapshot', changed: undefined, patchBytes: undefined, data: row.data ?? undefined }
}

/** The version that the base was made from may still exist. */
function withBase(
  versions: readonly Version[],
  base: Version,
  { newestFirst, limit }: VersionQuery,
): Version[] {
  const others = versions.filter(({ seq }) => seq !== base.seq)
  return [...others, base].sort((a, b) => (newestFirst ? b.seq - a.seq : a.seq - b.seq)).slice(0, limit)
}

/** A snapshot, then the patches after it up to an entry, or to the last one: page by page, ordered by `seq`. */
export async function* readChain(
  read: ReadVersions,
  streamId: string,
  snapshotSeq: number,
  to?: number,
): AsyncGenerator<Version[]> {
  let from = snapshotSeq
  for (;;) {
    const page = await read(streamId, { from, to, limit: PAGE })
    if (page.length > 0) yield page
    if (page.length < PAGE) return
    from = (page.at(-1) as Version).seq + 1
  }
}

/** The texts of a whole chain: its last snapshot, then the patches. Empty if there is no snapshot any more. */
export async function readChainTexts(...chain: Parameters<typeof readChain>): Promise<string[]> {
  let texts: string[] = []
  for await (const page of readChain(...chain)) {
    for (const { kind, data = '' } of page) {
      if (kind === 'snapshot') texts = [data]
      else if (texts.length > 0) texts.push(data)
    }
  }
  return texts
}

function matching(db: Database, streamId: string, { from, to, until, only }: VersionQuery): SQL | undefined {
  return and(
    eq(entries.streamId, streamId),
    // Written as in the partial index, without parameters, so that the index is used.
    sql`${entries.kind} IN (${sql.raw(VERSION_KINDS_SQL)})`,
    only === 'snapshots' ? sql`${entries.kind} = 'snapshot'` : undefined,
    only === 'received' ? sql`NOT (${entries.kind} = 'snapshot' AND ${entries.bodyBytes} = 0)` : undefined,
    from === undefined ? undefined : gte(entries.seq, from),
    to === undefined ? undefined : lte(entries.seq, to),
    until && and(lte(entries.seq, lastSeqBy(db, streamId, until)), lte(entries.at, until)),
  )
}

/**
 * The last `seq` that an entry made by then can have, according to the rollup of its minute, hour or day. If that is
 * the newest rollup, later entries can match as well.
 */
function lastSeqBy(db: Database, streamId: string, until: Date): SQL {
  const byMinute = db
    .select({ seq: rollups.lastSeq })
    .from(rollups)
    .where(and(eq(rollups.streamId, streamId), lte(rollups.minute, until)))
    .orderBy(desc(rollups.minute))
    .limit(1)
  const byLonger = db
    .select({ seq: longRollups.lastSeq })
    .from(longRollups)
    .where(and(eq(longRollups.streamId, streamId), lte(longRollups.at, until)))
    .orderBy(desc(longRollups.at), asc(longRollups.lastSeq))
    .limit(1)
  const summed = db
    .select({ seq: checkpoints.summedSeq })
    .from(checkpoints)
    .where(eq(checkpoints.streamId, streamId))
  return sql`(SELECT CASE WHEN by_then < summed THEN by_then ELSE ${Number.MAX_SAFE_INTEGER}::bigint END
    FROM (SELECT coalesce(${byMinute}, ${byLonger}, 0) AS by_then, coalesce(${summed}, 0) AS summed) AS known)`
}

function upTo(
  data: typeof entries.data | typeof bases.data,
  maxBytes: number | undefined,
): SQL<string | null> {
  if (maxBytes === undefined) return sql`${data}`
  return maxBytes === 0 ? sql`NULL` : sql`CASE WHEN octet_length(${data}) <= ${maxBytes} THEN ${data} END`
}
