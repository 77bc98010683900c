import { sql } from 'drizzle-orm'
import { bases } from '../../drizzle/schema.ts'
import { Problem } from '../errors.ts'
import { type Day, partitionName } from '../storage/partitions.ts'
import type { Database } from '../storage/storage.ts'
import { documentOf } from '../streams/documents/documents.ts'
import { versionsIn } from '../streams/documents/versions.ts'
import type { Stream } from '../streams/ingest/run.ts'

/** Streams looked at in one statement. */
const STREAMS_PER_STEP = 50

export interface BaseDeps {
  db: Database
  warn(message: string): void
}

interface NeedsBase {
  id: string
  kind: Stream['kind']
  /** The last version that goes. */
  seq: number
  at: Date
  hash: string
}

/**
 * Documents outlive their log: before versions go, the document as of the last of them is written into a table beside
 * it, from which those that stay are rebuilt. No run takes part in this: it works for streams that are stopped, or have
 * not changed for months, and a run's own numbers and epoch stay as they are. A base that is there too early does no
 * harm: it equals the version it was made of.
 * @returns the last entry of every stream as it was before; what is stored in the day after that has no base
 */
export async function keepBasesOfDay(deps: BaseDeps, day: Day): Promise<Map<string, number>> {
  const { db } = deps
  const seen = new Map<string, number>()
  let after = '00000000-0000-0000-0000-000000000000'
  for (;;) {
    const { rows } = (await db.execute(sql`
      SELECT stream.id, checkpoint.seq::float8 AS seq FROM weir.streams AS stream
      JOIN weir.checkpoints AS checkpoint ON checkpoint.stream_id = stream.id
      WHERE stream.id > ${after}::uuid ORDER BY stream.id LIMIT ${STREAMS_PER_STEP}::int`)) as {
      rows: { id: string; seq: number }[]
    }
    for (const { id, seq } of rows) seen.set(id, seq)
    const ids = rows.map(({ id }) => id)
    const table = sql.raw(`weir.${partitionName('entries', day)}`)
    for (const needs of await withoutBase(db, ids, table)) await keepBase(deps, needs)
    if (rows.length < STREAMS_PER_STEP) return seen
    after = ids.at(-1) as string
  }
}

/** The same of one stream, before its entries up to a `seq` go. */
export async function keepBaseOfStream(deps: BaseDeps, streamId: string, upTo: number): Promise<void> {
  const table = sql`(SELECT * FROM weir.entries WHERE stream_id = ${streamId}::uuid AND seq <= ${upTo}::bigint)`
  for (const needs of await withoutBase(deps.db, [streamId], table)) await keepBase(deps, needs)
}

/** Streams whose next version is no snapshot: it can't be rebuilt without the last one of the table. */
async function withoutBase(
  db: Database,
  ids: readonly string[],
  table: ReturnType<typeof sql>,
): Promise<NeedsBase[]> {
  const { rows } = (await db.execute(sql`
    SELECT stream.id, stream.kind, gone.seq::float8 AS seq, gone.at, gone.hash
    FROM json_array_elements_text(${JSON.stringify(ids)}::json) AS wanted(id)
    JOIN weir.streams AS stream ON stream.id = wanted.id::uuid
    CROSS JOIN LATERAL (
      SELECT seq, at, hash FROM ${table} AS entry
      WHERE stream_id = stream.id AND kind IN ('snapshot', 'patch') ORDER BY seq DESC LIMIT 1
    ) AS gone
    LEFT JOIN LATERAL (
      SELECT kind FROM weir.entries
      WHERE stream_id = stream.id AND kind IN ('snapshot', 'patch') AND seq > gone.seq ORDER BY seq LIMIT 1
    ) AS next ON true
    LEFT JOIN weir.bases AS base ON base.stream_id = stream.id
    WHERE next.kind IS DISTINCT FROM 'snapshot' AND (base.seq IS NULL OR base.seq < gone.seq)`)) as {
    rows: (Omit<NeedsBase, 'at'> & { at: string })[]
  }
  return rows.map((row) => ({ ...row, at: new Date(row.at) }))
}

async function keepBase({ db, warn }: BaseDeps, { id, kind, ...version }: NeedsBase): Promise<void> {
  try {
    const { seq, at, hash, text } = await documentOf(
      versionsIn(db),
      { id, kind },
      {
        ...version,
        kind: 'patch',
        changed: true,
        patchBytes: undefined,
        snapshotBytes: undefined,
        data: undefined,
      },
    )
    await db
      .insert(bases)
      .values({ streamId: id, seq, at, hash, data: text })
      .onConflictDoUpdate({
        target: bases.streamId,
        set: { seq, at, hash, data: text },
        setWhere: sql`${bases.seq} < ${seq}`,
      })
  } catch (error) {
    // What can't be rebuilt today can't be tomorrow: it doesn't hold up what must go.
    if (!(error instanceof Problem)) throw error
    warn(`The document of stream ${id} as of entry ${version.seq} can't be kept: ${error.detail}`)
  }
}
