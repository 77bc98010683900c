import { sql } from 'drizzle-orm'
import { dayOf } from '../storage/partitions.ts'
import type { Database } from '../storage/storage.ts'
import { BODY_CHARS, bodyKeyOf } from './bodies.ts'
import { type Entry, storable } from './entry.ts'
import type { Checkpoint } from './run.ts'

/** An entry that has its number. */
export interface ToStore {
  entry: Entry
  /** The checkpoint as of this entry. */
  checkpoint: Checkpoint
}

interface BodyRow {
  day: string
  key: string
  data: string
}

/**
 * Writes entries and checkpoints, for the runs whose epoch is still their stream's.
 * A batch may be written twice, when the first answer was lost: what is there already is not counted again.
 * @returns the keys of the runs that were written, as {@link runKey} makes them.
 */
export async function storeEntries(db: Database, batch: readonly ToStore[]): Promise<Set<string>> {
  const last = new Map<string, ToStore>()
  for (const item of batch) last.set(runKey(item.entry), item)
  const bodies = new Map<string, BodyRow>()
  const entryRows = JSON.stringify(batch.map(({ entry }) => entryRow(entry, bodies)))
  const bodyRows = JSON.stringify([...bodies.values()])
  const checkpointRows = JSON.stringify([...last.values()].map(checkpointRow))
  const pathRows = JSON.stringify(batch.flatMap(({ entry }) => pathsOf(entry)))
  const result = (await db.execute(sql`
    WITH checkpoint AS (
      SELECT * FROM json_to_recordset(${checkpointRows}::json) AS row(
        stream_id uuid, epoch int, seq bigint, snapshot_seq bigint,
        body_hash text, plain_bytes int, gzip_bytes int, last_event_id text, etag text, last_modified text)
    ), held AS (
      SELECT current.stream_id, current.epoch FROM weir.checkpoints AS current
      JOIN checkpoint USING (stream_id, epoch)
      ORDER BY current.stream_id FOR UPDATE OF current
    ), stored AS (
      INSERT INTO weir.entries (stream_id, seq, at, epoch, kind, event, event_id,
        wire_bytes, body_bytes, head_bytes, plain_bytes, gzip_bytes, patch_bytes, snapshot_bytes, deflated_bytes,
        changed, hash, data, body_key, exchange)
      SELECT row.* FROM json_to_recordset(${entryRows}::json) AS row(
        stream_id uuid, seq bigint, at timestamptz, epoch int, kind text, event text, event_id text,
        wire_bytes int, body_bytes int, head_bytes int, plain_bytes int, gzip_bytes int, patch_bytes int,
        snapshot_bytes int, deflated_bytes int, changed boolean, hash text, data text, body_key text,
        exchange jsonb)
      JOIN held USING (stream_id, epoch)
      ON CONFLICT DO NOTHING
      RETURNING stream_id, seq, at
    ), shared AS (
      INSERT INTO weir.bodies (day, key, data)
      SELECT row.* FROM json_to_recordset(${bodyRows}::json) AS row(day date, key text, data text)
      ON CONFLICT DO NOTHING
    ), moved AS (
      UPDATE weir.checkpoints AS current
      SET seq = checkpoint.seq, snapshot_seq = checkpoint.snapshot_seq, body_hash = checkpoint.body_hash,
        plain_bytes = checkpoint.plain_bytes, gzip_bytes = checkpoint.gzip_bytes,
        last_event_id = checkpoint.last_event_id, etag = checkpoint.etag, last_modified = checkpoint.last_modified
      FROM checkpoint JOIN held USING (stream_id, epoch)
      WHERE current.stream_id = checkpoint.stream_id
    ), paths AS (
      INSERT INTO weir.path_rollups AS rollup (stream_id, hour, path, changes)
      SELECT stream_id, date_trunc('hour', at, 'UTC'), path, count(DISTINCT seq)
      FROM stored JOIN json_to_recordset(${pathRows}::json) AS row(stream_id uuid, seq bigint, path text)
        USING (stream_id, seq)
      GROUP BY 1, 2, 3
      ON CONFLICT (stream_id, hour, path) DO UPDATE SET changes = rollup.changes + excluded.changes
    )
    SELECT stream_id, epoch FROM held`)) as { rows: { stream_id: string; epoch: number }[] }
  return new Set(result.rows.map((row) => runKey({ streamId: row.stream_id, epoch: row.epoch })))
}

/** A batch may hold entries of two runs of one stream, when the first ended while the database was away. */
export function runKey({ streamId, epoch }: Pick<Entry, 'streamId' | 'epoch'>): string {
  return `${streamId}:${epoch}`
}

/** Larger contents go to the bodies of the entry's day, those that are equal once. */
function entryRow(entry: Entry, bodies: Map<string, BodyRow>): Record<string, unknown> {
  const data = entry.data && storable(entry.data)
  const isShared = data !== undefined && data.length >= BODY_CHARS
  const key = isShared ? bodyKeyOf(data) : undefined
  if (isShared && key !== undefined) {
    const day = dayOf(entry.at)
    bodies.set(`${day} ${key}`, { day, key, data })
  }
  return {
    stream_id: entry.streamId,
    seq: entry.seq,
    at: new Date(entry.at).toISOString(),
    epoch: entry.epoch,
    kind: entry.kind,
    event: entry.event && storable(entry.event),
    event_id: entry.eventId && storable(entry.eventId),
    wire_bytes: entry.wireBytes,
    body_bytes: entry.bodyBytes,
    head_bytes: entry.headBytes,
    plain_bytes: entry.plainBytes,
    gzip_bytes: entry.gzipBytes,
    patch_bytes: entry.patchBytes,
    snapshot_bytes: entry.snapshotBytes,
    deflated_bytes: entry.deflatedBytes,
    changed: entry.changed,
    hash: entry.hash,
    data: isShared ? undefined : data,
    body_key: key,
    exchange: entry.exchange,
  }
}

function pathsOf({ streamId, seq, paths = [] }: Entry): Record<string, unknown>[] {
  return paths.map((path) => ({ stream_id: streamId, seq, path: storable(path) }))
}

function checkpointRow({ entry, checkpoint }: ToStore): Record<string, unknown> {
  return {
    stream_id: entry.streamId,
    epoch: entry.epoch,
    seq: checkpoint.seq,
    snapshot_seq: checkpoint.snapshotSeq,
    body_hash: checkpoint.bodyHash,
    plain_bytes: checkpoint.plainBytes,
    gzip_bytes: checkpoint.gzipBytes,
    last_event_id: checkpoint.lastEventId && storable(checkpoint.lastEventId),
    etag: checkpoint.etag,
    last_modified: checkpoint.lastModified,
  }
}
