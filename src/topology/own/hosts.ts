import { inArray, type SQL, sql } from 'drizzle-orm'
import { HELD_WITHIN_MS } from '../../core/judging/status.ts'
import { type Status, WORST_FIRST } from '../../core/sets/statuses.ts'
import { POLLED_KINDS } from '../../core/sets/stream-kinds.ts'
import type { Database } from '../../storage/storage.ts'
import { timestamp } from '../../storage/timestamp.ts'
import { hostOf } from '../../streams/ingest/host.ts'
import { quantilesOf } from '../../streams/measures/latencies.ts'
import { isSharedAs } from '../../streams/registry/visibility.ts'
import type { CallWindow, Counted } from './part.ts'

/** Maximum number of latencies used for a host's quantiles; more wouldn't change them. */
const MAX_LATENCIES = 4_096
/** A run that ended within this time, in milliseconds, counts as running: the next one takes over. */
const HANDOVER_MS = 60_000

/** Streams in the picture, which everyone sees: without private ones, and without those through Weir's own proxy. */
const SHOWN = sql`s.via IS NULL AND ${isSharedAs('s')}`

/** A host with its running streams. Times in milliseconds since the epoch. */
export interface Host extends Counted {
  host: string
  /** A tag that most of its streams have. */
  tag: string | undefined
  streams: number
  byStatus: Partial<Record<Status, number>>
  worst: Status
  /** The reason of one stream with the worst status; omitted for the past. */
  reason: string | undefined
  /** Time of the last status change. */
  since: number
  /** When the first of the streams was registered. */
  bornAt: number
  /** Streams that no worker runs. */
  unheld: number
}

/** The hosts followed now. */
export function hostsNow(db: Database, window: CallWindow): Promise<Host[]> {
  const held = timestamp(window.to - HELD_WITHIN_MS)
  return hosts(
    db,
    window,
    sql`
      SELECT s.id, ${hostOf(sql.raw('s.url'))} AS host, s.kind, s.tags, s.created_at, st.verdict AS known,
        st.verdict_reason AS reason, st.verdict_since AS since,
        st.verdict = 'stalled' AND (w.seen_at IS NULL OR w.seen_at < ${held}) AS is_unheld,
        greatest((st.evidence->>'lastByteAt')::float8, (st.evidence->>'lastPollAt')::float8) AS life_at
      FROM weir.streams s JOIN weir.states st ON st.stream_id = s.id LEFT JOIN weir.workers w ON w.name = st.worker
      WHERE s.desired = 'running' AND ${SHOWN}`,
  )
}

/**
 * The hosts followed in the past: those of existing streams, by their runs. A status that wasn't stored is derived from
 * the incidents open then, or else from what the stream received.
 */
export function hostsThen(db: Database, window: CallWindow): Promise<Host[]> {
  const at = timestamp(window.to)
  return hosts(
    db,
    window,
    sql`
      SELECT s.id, ${hostOf(sql.raw('s.url'))} AS host, s.kind, s.tags, s.created_at,
        CASE WHEN st.verdict_since <= ${at} AND st.verdict <> 'stopped' THEN st.verdict ELSE trouble.cause END AS known,
        NULL AS reason, least(st.verdict_since, ${at}) AS since, false AS is_unheld, NULL::float8 AS life_at
      FROM weir.streams s JOIN weir.states st ON st.stream_id = s.id
      CROSS JOIN LATERAL (
        SELECT ended_at FROM weir.runs WHERE stream_id = s.id AND started_at <= ${at} ORDER BY epoch DESC LIMIT 1
      ) AS run
      LEFT JOIN LATERAL (
        SELECT cause FROM weir.incidents AS incident
        WHERE incident.stream_id = s.id AND cause IN ('dead', 'stalled', 'degraded')
          AND least(opened_at, to_timestamp((evidence->>'since')::float8 / 1000)) <= ${at}
          AND (resolved_at IS NULL OR least(resolved_at, to_timestamp((evidence->>'until')::float8 / 1000)) > ${at})
        ORDER BY array_position('{dead,stalled,degraded}'::text[], cause) LIMIT 1
      ) AS trouble ON true
      WHERE s.created_at <= ${at} AND ${SHOWN}
        AND (run.ended_at IS NULL OR run.ended_at > ${timestamp(window.to - HANDOVER_MS)})`,
  )
}

interface Row {
  host: string
  status: Status
  streams: number
  calls: number
  errors: number
  latencies: string
  reason: string | null
  since: number
  bornAt: number
  lifeAt: number | null
  unheld: number
}

async function hosts(db: Database, window: CallWindow, followed: SQL): Promise<Host[]> {
  const { rows } = (await db.execute(sql`
    WITH followed AS (${followed}), sums AS (
      SELECT stream_id AS id, sum(polls) AS polls, sum(events) AS events, sum(errors) AS errors,
        string_agg(latencies, ''::bytea) AS latencies
      FROM weir.rollups WHERE minute >= ${timestamp(window.from)} AND minute <= ${timestamp(window.to)}
      GROUP BY stream_id
    ), counted AS (
      SELECT followed.*, polls, events, errors, latencies,
        coalesce(known, CASE WHEN errors > polls + events THEN 'backing-off' WHEN polls + events > 0 THEN 'live'
          ELSE 'quiet' END) AS status
      FROM followed LEFT JOIN sums USING (id)
    )
    SELECT host, status, count(*)::int AS streams,
      coalesce(sum(polls + errors + CASE WHEN ${inArray(sql`kind`, POLLED_KINDS)} THEN 0 ELSE events END), 0)::float8 AS calls,
      coalesce(sum(errors), 0)::float8 AS errors,
      coalesce(encode(substring(string_agg(latencies, ''::bytea) FROM 1 FOR ${MAX_LATENCIES}::int), 'hex'), '')
        AS latencies,
      (array_agg(reason ORDER BY since, id))[1] AS reason,
      (extract(epoch FROM max(since)) * 1000)::float8 AS since,
      (extract(epoch FROM min(created_at)) * 1000)::float8 AS "bornAt",
      max(life_at) AS "lifeAt", count(*) FILTER (WHERE is_unheld)::int AS unheld
    FROM counted GROUP BY host, status`)) as unknown as { rows: Row[] }
  const byHost = Map.groupBy(rows, ({ host }) => host)
  if (byHost.size === 0) return []
  const tags = await sharedTags(db)
  return [...byHost].map(([host, parts]) => merged(parts, tags.get(host)))
}

/** A host, from its number of streams by status. */
function merged(rows: readonly Row[], shared: SharedTag | undefined): Host {
  const parts = rows.toSorted((a, b) => WORST_FIRST.indexOf(a.status) - WORST_FIRST.indexOf(b.status))
  const sum = (of: (row: Row) => number) => parts.reduce((total, row) => total + of(row), 0)
  const [{ host, status, reason }] = parts as [Row]
  const streams = sum((row) => row.streams)
  const lastAt = Math.max(...parts.map(({ lifeAt }) => lifeAt ?? 0))
  return {
    host,
    streams,
    tag: shared !== undefined && shared.streams * 2 > streams ? shared.tag : undefined,
    byStatus: Object.fromEntries(parts.map((row) => [row.status, row.streams])),
    worst: status,
    reason: reason ?? undefined,
    since: Math.max(...parts.map((row) => row.since)),
    bornAt: Math.min(...parts.map((row) => row.bornAt)),
    unheld: sum((row) => row.unheld),
    calls: sum((row) => row.calls),
    errors: sum((row) => row.errors),
    ...(lastAt > 0 && { lastAt }),
    ...quantilesOf(parts.map(({ latencies }) => latencies).join('')),
  }
}

interface SharedTag {
  tag: string
  /** How many running streams of the host have the tag. */
  streams: number
}

/** The most frequent tag of each host; in a tie, the first alphabetically. */
async function sharedTags(db: Database): Promise<Map<string, SharedTag>> {
  const { rows } = (await db.execute(sql`
    SELECT ${hostOf(sql.raw('s.url'))} AS host, array_to_json(tags) AS tags, count(*)::int AS streams
    FROM weir.streams s WHERE s.desired = 'running' AND ${SHOWN} AND tags <> '{}'
    GROUP BY host, s.tags`)) as unknown as { rows: { host: string; tags: string[]; streams: number }[] }
  const most = new Map<string, SharedTag>()
  for (const [host, parts] of Map.groupBy(rows, (row) => row.host)) {
    const counts = new Map<string, number>()
    for (const { tags, streams } of parts)
      for (const tag of tags) counts.set(tag, (counts.get(tag) ?? 0) + streams)
    const [first] = [...counts].sort(([a, of], [b, by]) => by - of || (a < b ? -1 : 1))
    if (first !== undefined) most.set(host, { tag: first[0], streams: first[1] })
  }
  return most
}
