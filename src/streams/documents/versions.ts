import { and, asc, desc, eq, gte, lte, type SQL, sql } from 'drizzle-orm'
import { bases, checkpoints, entries, longRollups, rollups } from '../../../drizzle/schema.ts'
import type { Database } from '../../storage/storage.ts'
import { withBodies } from '../recording/bodies.ts'

/** A stored version of a document: a snapshot, or the patch that made it from the version before. */
export interface Version {
  seq: number
  at: Date
  kind: 'snapshot' | 'patch'
  changed: boolean | undefined
  /** Of the canonical document, SHA-256 in hex. */
  hash: string
  /** Of the change as a patch, and of the document. */
  patchBytes: number | undefined
  snapshotBytes: number | undefined
  /** JSON text of the document or the patch; left out where it is larger than was asked for. */
  data: string | undefined
}

export interface VersionQuery {
  /** Only versions from this `seq` on, and up to that one, both included. */
  from?: number
  to?: number
  /** Only those made up to this instant. */
  until?: Date
  /** Only whole documents, keyframes among them; or only what was received, without keyframes. Default: all. */
  only?: 'snapshots' | 'received'
  /** Default: oldest first. */
  newestFirst?: boolean
  limit: number
  /** Data of more bytes than this is left out. Default: none is. */
  maxDataBytes?: number
}

/** Where versions come from: those of a stream that match, in order. */
export type ReadVersions = (streamId: string, query: VersionQuery) => Promise<Version[]>

/** Versions read at a time when a document is rebuilt. */
const PAGE = 50

/**
 * Versions as the log in the database has them. Where the first of them are gone, the stream's base stands in their
 * place: the document as of the last one that is gone, as a keyframe.
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

/** The version that the base was made of may be there yet. */
function withBase(
  versions: readonly Version[],
  base: Version,
  { newestFirst, limit }: VersionQuery,
): Version[] {
  const others = versions.filter(({ seq }) => seq !== base.seq)
  return [...others, base].sort((a, b) => (newestFirst ? b.seq - a.seq : a.seq - b.seq)).slice(0, limit)
}

/** A snapshot, then the patches after it up to an entry, or to the last one: page by page, in the order of `seq`. */
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

/** The texts of a whole chain: its last snapshot, then the patches; none when there is no snapshot any more. */
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
    // As the partial index has it, without parameters: only so is it sure to be used.
    sql`${entries.kind} IN ('snapshot', 'patch')`,
    only === 'snapshots' ? sql`${entries.kind} = 'snapshot'` : undefined,
    only === 'received' ? sql`NOT (${entries.kind} = 'snapshot' AND ${entries.bodyBytes} = 0)` : undefined,
    from === undefined ? undefined : gte(entries.seq, from),
    to === undefined ? undefined : lte(entries.seq, to),
    until && and(lte(entries.seq, lastSeqBy(db, streamId, until)), lte(entries.at, until)),
  )
}

/**
 * The last `seq` that an entry made by then can have: the rollup of its minute says so, or else of its hour or day. Where
 * that is the last one summed up, those after it can, too.
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
