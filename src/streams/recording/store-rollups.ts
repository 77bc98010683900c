import { sql } from 'drizzle-orm'
import type { CheckCounts } from '../../core/judging/scheduled-checks.ts'
import type { Database } from '../../storage/storage.ts'
import { emptyDelta, type RollupDelta, SUMS, type Summed, tallied } from '../measures/rollup-delta.ts'
import type { Entry } from './entry.ts'

/** A tally, and the epoch that may write it. */
export interface Owed {
  streamId: string
  epoch: number
  tally: RollupDelta
}

/** How far a stream is rolled up. */
export interface SummedUpTo {
  streamId: string
  /** Number of its last entry. */
  seq: number
  summedSeq: number
}

/** Entries read back at a time, after a worker was killed before rolling them up. */
const MAX_READ = 20_000
/** An entry may be dated this much before one that was rolled up earlier: clocks are set back. */
const CLOCK_SLACK = sql.raw("interval '1 day'")

const list = (of: (name: string) => string) => sql.raw(SUMS.map(of).join(', '))

/**
 * Adds tallies to the rollups, for runs whose epoch is still current. Each says where it starts, so that one that is
 * written twice counts once.
 * @returns the streams whose rollups now reach the end of their tally; those of others end elsewhere
 */
export async function storeSums(db: Database, owed: readonly Owed[]): Promise<Set<string>> {
  const tallies = owed.map(({ streamId, epoch, tally }) => ({
    stream_id: streamId,
    epoch,
    after: tally.after,
    up_to: tally.upTo,
    minute: new Date(Math.max(...tally.minutes.keys())).toISOString(),
  }))
  const minutes = owed.flatMap(({ streamId, epoch, tally }) =>
    [...tally.minutes].map(([ms, sums]) => ({
      ...sums,
      stream_id: streamId,
      epoch,
      minute: new Date(ms).toISOString(),
    })),
  )
  const { rows } = (await db.execute(sql`
    WITH owed AS (
      SELECT * FROM json_to_recordset(${JSON.stringify(tallies)}::json)
        AS row(stream_id uuid, epoch int, after bigint, up_to bigint, minute timestamptz)
    ), held AS (
      SELECT current.stream_id, current.epoch, owed.up_to, owed.minute FROM weir.checkpoints AS current
      JOIN owed USING (stream_id, epoch)
      WHERE current.summed_seq = owed.after
      ORDER BY current.stream_id FOR UPDATE OF current
    ), summed AS (
      UPDATE weir.checkpoints AS current SET summed_seq = held.up_to, summed_minute = held.minute
      FROM held WHERE current.stream_id = held.stream_id
    ), rolled AS (
      INSERT INTO weir.rollups AS rollup (stream_id, minute, first_seq, last_seq, ${list((name) => name)}, latencies)
      SELECT stream_id, row.minute, row.first_seq, row.last_seq, ${list((name) => `row.${name}`)}, decode(row.latencies, 'hex')
      FROM json_to_recordset(${JSON.stringify(minutes)}::json) AS row(stream_id uuid, epoch int, minute timestamptz,
        first_seq bigint, last_seq bigint, ${list((name) => `${name} bigint`)}, latencies text)
      JOIN held USING (stream_id, epoch)
      ON CONFLICT (stream_id, minute) DO UPDATE SET
        first_seq = least(rollup.first_seq, excluded.first_seq), last_seq = greatest(rollup.last_seq, excluded.last_seq),
        ${list((name) => `${name} = rollup.${name} + excluded.${name}`)}, latencies = rollup.latencies || excluded.latencies
    )
    SELECT stream_id FROM held`)) as { rows: { stream_id: string }[] }
  return new Set(rows.map((row) => row.stream_id))
}

/**
 * Reads back entries that are stored but not rolled up, as a killed worker leaves them.
 * @returns a tally per stream
 */
export async function owedTallies(
  db: Database,
  streams: readonly SummedUpTo[],
): Promise<Map<string, RollupDelta>> {
  const tallies = new Map(streams.map(({ streamId, summedSeq }) => [streamId, emptyDelta(summedSeq)]))
  let behind = streams.filter(({ seq, summedSeq }) => summedSeq < seq)
  while (behind.length > 0) {
    const rows = await readUnsummed(
      db,
      behind.map(({ streamId }) => ({ streamId, after: tallies.get(streamId)?.upTo ?? 0 })),
    )
    for (const [streamId, entries] of Map.groupBy(rows, (row) => row.streamId)) {
      const before = tallies.get(streamId) ?? emptyDelta(0)
      const lastAt = before.lastAt ?? entries[0]?.lastAt
      tallies.set(streamId, tallied({ ...before, lastAt }, entries))
    }
    if (rows.length < MAX_READ) break
    behind = behind.filter(({ streamId, seq }) => (tallies.get(streamId)?.upTo ?? seq) < seq)
  }
  return tallies
}

type Unsummed = Summed & {
  streamId: string
  /** When the last entry that is rolled up was written. */
  lastAt: number | undefined
}

/** The next entries of each stream, ordered by stream and `seq`. */
async function readUnsummed(
  db: Database,
  wanted: readonly { streamId: string; after: number }[],
): Promise<Unsummed[]> {
  const ids = JSON.stringify(wanted.map(({ streamId, after }) => ({ stream_id: streamId, after })))
  const { rows } = (await db.execute(sql`
    SELECT extract(epoch FROM before.at)::float8 * 1000 AS last_at, entry.stream_id, entry.seq::float8 AS seq, extract(epoch FROM entry.at)::float8 * 1000 AS at, entry.kind,
      entry.wire_bytes, entry.body_bytes, entry.head_bytes, entry.plain_bytes, entry.gzip_bytes, entry.patch_bytes,
      entry.snapshot_bytes, entry.deflated_bytes, entry.changed, entry.exchange IS NOT NULL AS has_exchange,
      (entry.exchange #>> '{response,status}')::int AS status,
      (entry.exchange #>> '{response,durationMs}')::float8 AS duration_ms,
      (entry.exchange #>> '{request,bytes}')::float8 AS request_bytes,
      (entry.exchange #>> '{request,count}')::float8 AS request_count,
      (entry.exchange #>> '{redirects,bodyBytes}')::float8 AS redirect_bytes,
      (entry.exchange #>> '{checks,0}')::float8 AS answered, (entry.exchange #>> '{checks,1}')::float8 AS unanswered,
      (entry.exchange ->> 'comparedMs')::float8 AS compared_ms,
      (entry.exchange ->> 'isFresh')::boolean AS is_fresh, (entry.exchange ->> 'isOutdated')::boolean AS is_outdated,
      (entry.exchange ->> 'isCacheHit')::boolean AS is_cache_hit
    FROM json_to_recordset(${ids}::json) AS wanted(stream_id uuid, after bigint)
    JOIN weir.checkpoints AS current USING (stream_id)
    LEFT JOIN LATERAL (
      SELECT at FROM weir.entries WHERE stream_id = current.stream_id AND seq = wanted.after
        AND at >= current.summed_minute - ${CLOCK_SLACK} LIMIT 1
    ) AS before ON true
    JOIN weir.entries AS entry ON entry.stream_id = current.stream_id
      AND entry.seq > wanted.after AND entry.seq <= current.seq
      AND entry.at >= coalesce(current.summed_minute - ${CLOCK_SLACK}, '-infinity')
    ORDER BY entry.stream_id, entry.seq LIMIT ${MAX_READ}::int`)) as { rows: UnsummedRow[] }
  return rows.map(toSummed)
}

interface UnsummedRow {
  last_at: number | null
  stream_id: string
  seq: number
  at: number
  kind: Entry['kind']
  wire_bytes: number
  body_bytes: number
  head_bytes: number | null
  plain_bytes: number | null
  gzip_bytes: number | null
  patch_bytes: number | null
  snapshot_bytes: number | null
  deflated_bytes: number | null
  changed: boolean | null
  has_exchange: boolean
  status: number | null
  duration_ms: number | null
  request_bytes: number | null
  request_count: number | null
  redirect_bytes: number | null
  answered: number | null
  unanswered: number | null
  compared_ms: number | null
  is_fresh: true | null
  is_outdated: true | null
  is_cache_hit: true | null
}

function toSummed(row: UnsummedRow): Unsummed {
  const checks: CheckCounts | undefined =
    row.answered === null || row.unanswered === null ? undefined : [row.answered, row.unanswered]
  const exchange = {
    request: { bytes: row.request_bytes ?? undefined, count: row.request_count ?? undefined },
    response: { status: row.status ?? undefined, durationMs: row.duration_ms ?? undefined },
    redirects: { bodyBytes: row.redirect_bytes ?? 0 },
    checks,
    comparedMs: row.compared_ms ?? undefined,
    isFresh: row.is_fresh ?? undefined,
    isOutdated: row.is_outdated ?? undefined,
    isCacheHit: row.is_cache_hit ?? undefined,
  }
  return {
    streamId: row.stream_id,
    lastAt: row.last_at ?? undefined,
    seq: row.seq,
    at: row.at,
    kind: row.kind,
    wireBytes: row.wire_bytes,
    bodyBytes: row.body_bytes,
    headBytes: row.head_bytes ?? undefined,
    plainBytes: row.plain_bytes ?? undefined,
    gzipBytes: row.gzip_bytes ?? undefined,
    patchBytes: row.patch_bytes ?? undefined,
    snapshotBytes: row.snapshot_bytes ?? undefined,
    deflatedBytes: row.deflated_bytes ?? undefined,
    changed: row.changed ?? undefined,
    exchange: row.has_exchange ? exchange : undefined,
  }
}
