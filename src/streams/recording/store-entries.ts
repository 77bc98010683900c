import { type SQL, sql } from 'drizzle-orm'
import { transact } from '../../storage/errors/sql-state.ts'
import { dayOf } from '../../storage/partitions.ts'
import type { Database } from '../../storage/storage.ts'
import type { Checkpoint } from '../ingest/run.ts'
import { bodyKeyOf, splitContent } from './bodies.ts'
import { type Entry, storable } from './entry.ts'

/** A numbered entry. */
export interface ToStore {
  entry: Entry
  /** The checkpoint as of this entry. */
  checkpoint: Checkpoint
}

/**
 * Longer bodies get their own statements, as parameters. In the JSON of a whole batch, a body of 10 MB would block
 * the embedded database, and the whole process, for another 0.2 s.
 */
const OWN_STATEMENT_CHARS = 262_144

interface BodyRow {
  day: string
  key: string
  data: string
}

/**
 * Writes entries and checkpoints of runs whose epoch is still current.
 * @param isAgain whether some may be stored already because the reply to an earlier write was lost: duplicates are
 * skipped and not counted twice. The check costs time, so normal writes go without it.
 * @returns the epoch that was written, by stream; entries with any other epoch belong to a replaced run and are
 * refused
 */
export async function storeEntries(
  db: Database,
  batch: readonly ToStore[],
  isAgain = false,
): Promise<Map<string, number>> {
  // A batch may contain entries of two runs of one stream, if the first ended while the database was unreachable.
  const last = new Map<string, ToStore>()
  for (const item of batch) last.set(item.entry.streamId, item)
  const bodies = new Map<string, BodyRow>()
  const entryRows = JSON.stringify(batch.map(({ entry }) => entryRow(entry, bodies)))
  const checkpointRows = JSON.stringify([...last.values()].map(checkpointRow))
  const paths = batch.flatMap(({ entry }) => pathsOf(entry))
  const long = [...bodies.values()].filter(({ data }) => data.length > OWN_STATEMENT_CHARS)
  const short = [...bodies.values()].filter(({ data }) => data.length <= OWN_STATEMENT_CHARS)
  // Planning a part takes as long as storing some dozens of entries, even if it has no rows.
  const parts = [
    heldPart(checkpointRows, isAgain),
    storedPart(entryRows, isAgain, paths.length > 0),
    ...sharedPart(short),
    ...pathsPart(paths),
  ]
  const statement = sql`WITH ${sql.join(parts, sql.raw(', '))} SELECT stream_id, epoch FROM held`
  const result = (await (long.length === 0
    ? db.execute(statement)
    : transact(db, async (tx) => {
        await storeLong(tx, long)
        return tx.execute(statement)
      }))) as { rows: { stream_id: string; epoch: number }[] }
  return new Map(result.rows.map((row) => [row.stream_id, row.epoch]))
}

/**
 * Stores those that aren't there yet. Nobody deletes an existing one before the entries that refer to it are stored.
 */
async function storeLong(tx: Database, bodies: readonly BodyRow[]): Promise<void> {
  await tx.execute(sql`LOCK TABLE weir.bodies IN ROW EXCLUSIVE MODE`)
  for (const { day, key, data } of bodies) {
    const { rows } = (await tx.execute(
      sql`SELECT FROM weir.bodies WHERE day = ${day}::date AND key = ${key}`,
    )) as { rows: unknown[] }
    if (rows.length > 0) continue
    await tx.execute(
      sql`INSERT INTO weir.bodies (day, key, data) VALUES (${day}::date, ${key}, ${data}) ON CONFLICT DO NOTHING`,
    )
  }
}

/** Columns of a checkpoint that move with its `seq`. */
const MOVED = [
  'snapshot_seq',
  'body_hash',
  'plain_bytes',
  'gzip_bytes',
  'last_event_id',
  'etag',
  'last_modified',
  'cookies',
]

/**
 * Updates the checkpoints, which is the fence: a stream with another epoch has no matching row. A write that is
 * repeated, because its connection broke, may have been overtaken by a later one: a server that stood still executes
 * what it had received. It must not move the checkpoint back, or the next run would number its entries like stored
 * ones.
 */
function heldPart(checkpointRows: string, isAgain: boolean): SQL {
  const given = (name: string) => (name === 'cookies' ? `decode(row.cookies, 'base64')` : `row.${name}`)
  const move = isAgain
    ? (name: string) =>
        `${name} = CASE WHEN row.seq >= current.seq THEN ${given(name)} ELSE current.${name} END`
    : (name: string) => `${name} = ${given(name)}`
  return sql`held AS (
    UPDATE weir.checkpoints AS current
    SET seq = greatest(row.seq, current.seq), ${sql.raw(MOVED.map(move).join(', '))}
    FROM json_to_recordset(${checkpointRows}::json) AS row(
      stream_id uuid, epoch int, seq bigint, snapshot_seq bigint,
      body_hash text, plain_bytes int, gzip_bytes int, last_event_id text, etag text, last_modified text,
      cookies text)
    WHERE current.stream_id = row.stream_id AND current.epoch = row.epoch
    RETURNING current.stream_id, current.epoch)`
}

function storedPart(entryRows: string, isAgain: boolean, isReturned: boolean): SQL {
  const onConflict = isAgain ? sql`ON CONFLICT DO NOTHING` : sql``
  const returning = isReturned ? sql`RETURNING stream_id, seq, at` : sql``
  return sql`stored AS (
    INSERT INTO weir.entries (stream_id, seq, at, epoch, kind, event, event_id,
      wire_bytes, body_bytes, head_bytes, plain_bytes, gzip_bytes, patch_bytes, snapshot_bytes, deflated_bytes,
      changed, hash, data, body_key, exchange)
    SELECT stream_id, seq, to_timestamp(at / 1000), epoch, kind, event, event_id,
      wire_bytes, body_bytes, head_bytes, plain_bytes, gzip_bytes, patch_bytes, snapshot_bytes, deflated_bytes,
      changed, hash, data, body_key, exchange
    FROM json_to_recordset(${entryRows}::json) AS row(
      stream_id uuid, seq bigint, at float8, epoch int, kind text, event text, event_id text,
      wire_bytes int, body_bytes int, head_bytes int, plain_bytes int, gzip_bytes int, patch_bytes int,
      snapshot_bytes int, deflated_bytes int, changed boolean, hash text, data text, body_key text,
      exchange jsonb)
    JOIN held USING (stream_id, epoch)
    ${onConflict} ${returning})`
}

function sharedPart(bodies: readonly BodyRow[]): SQL[] {
  if (bodies.length === 0) return []
  return [
    sql`shared AS (
      INSERT INTO weir.bodies (day, key, data)
      SELECT row.* FROM json_to_recordset(${JSON.stringify(bodies)}::json) AS row(day date, key text, data text)
      ON CONFLICT DO NOTHING)`,
  ]
}

function pathsPart(paths: readonly object[]): SQL[] {
  if (paths.length === 0) return []
  return [
    sql`paths AS (
      INSERT INTO weir.path_rollups AS rollup (stream_id, hour, path, changes)
      SELECT stream_id, date_trunc('hour', at, 'UTC'), path, count(DISTINCT seq)
      FROM stored JOIN json_to_recordset(${JSON.stringify(paths)}::json) AS row(stream_id uuid, seq bigint, path text)
        USING (stream_id, seq)
      GROUP BY 1, 2, 3
      ON CONFLICT (stream_id, hour, path) DO UPDATE SET changes = rollup.changes + excluded.changes)`,
  ]
}

/** Larger content goes to the bodies of the entry's day, once for equal content. */
function entryRow(entry: Entry, bodies: Map<string, BodyRow>): Record<string, unknown> {
  const { data, body } = splitContent({ kind: entry.kind, data: entry.data && storable(entry.data) })
  const key = body && bodyKeyOf(body)
  if (body !== undefined && key !== undefined) {
    const day = dayOf(entry.at)
    bodies.set(`${day} ${key}`, { day, key, data: body })
  }
  return {
    stream_id: entry.streamId,
    seq: entry.seq,
    at: entry.at,
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
    data,
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
    cookies: checkpoint.cookies && Buffer.from(checkpoint.cookies).toString('base64'),
  }
}
