import { type SQL, sql } from 'drizzle-orm'
import { HELD_WITHIN_MS, type Verdict } from '../../core/judging/verdict.ts'
import type { Database } from '../../storage/storage.ts'
import { hostOf } from '../../streams/ingest/host.ts'
import { quantilesOf } from '../../streams/measures/latencies.ts'
import { isSharedAs } from '../../streams/registry/visibility.ts'
import { type Counted, instant, type Window, WORST_FIRST } from './part.ts'

/** Latencies that a host's quantiles are taken of; more would say the same. */
const MAX_LATENCIES = 4_096
/** A run that ended no longer ago than this, in milliseconds, counts as one that goes on: the next takes over. */
const HANDOVER_MS = 60_000

/** Streams that count: those through Weir's own proxy are no calls of a host, and all who come see the picture. */
const SHOWN = sql`s.via IS NULL AND ${isSharedAs('s')}`

/** A host with the streams of it that run. Times in milliseconds since the epoch. */
export interface Host extends Counted {
  host: string
  /** A tag that most of its streams have. */
  tag: string | undefined
  streams: number
  byVerdict: Partial<Record<Verdict, number>>
  worst: Verdict
  /** Why a stream of the worst verdict has it; left out of what was. */
  reason: string | undefined
  /** When a verdict of it last changed. */
  since: number
  /** When the first of the streams was registered. */
  bornAt: number
  /** Streams that no worker has. */
  unheld: number
}

/** The hosts that are followed now. */
export function hostsNow(db: Database, window: Window): Promise<Host[]> {
  const held = instant(window.to - HELD_WITHIN_MS)
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
 * The hosts that were followed: those of streams that are still there, by their runs. A verdict that was not kept is told
 * by the incidents that were open, or else by what the stream received.
 */
export function hostsThen(db: Database, window: Window): Promise<Host[]> {
  const at = instant(window.to)
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
        WHERE incident.stream_id = s.id AND cause IN ('dead', 'stalled') AND opened_at <= ${at}
          AND (resolved_at IS NULL OR resolved_at > ${at})
        ORDER BY cause LIMIT 1
      ) AS trouble ON true
      WHERE s.created_at <= ${at} AND ${SHOWN}
        AND (run.ended_at IS NULL OR run.ended_at > ${instant(window.to - HANDOVER_MS)})`,
  )
}

interface Row {
  host: string
  verdict: Verdict
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

async function hosts(db: Database, window: Window, followed: SQL): Promise<Host[]> {
  const { rows } = (await db.execute(sql`
    WITH followed AS (${followed}), sums AS (
      SELECT stream_id AS id, sum(polls) AS polls, sum(events) AS events, sum(errors) AS errors,
        string_agg(latencies, ''::bytea) AS latencies
      FROM weir.rollups WHERE minute >= ${instant(window.from)} AND minute <= ${instant(window.to)}
      GROUP BY stream_id
    ), counted AS (
      SELECT followed.*, polls, events, errors, latencies,
        coalesce(known, CASE WHEN errors > polls + events THEN 'backing-off' WHEN polls + events > 0 THEN 'live'
          ELSE 'quiet' END) AS verdict
      FROM followed LEFT JOIN sums USING (id)
    )
    SELECT host, verdict, count(*)::int AS streams,
      coalesce(sum(polls + errors + CASE kind WHEN 'sse' THEN events ELSE 0 END), 0)::float8 AS calls,
      coalesce(sum(errors), 0)::float8 AS errors,
      coalesce(encode(substring(string_agg(latencies, ''::bytea) FROM 1 FOR ${MAX_LATENCIES}::int), 'hex'), '')
        AS latencies,
      (array_agg(reason ORDER BY since, id))[1] AS reason,
      (extract(epoch FROM max(since)) * 1000)::float8 AS since,
      (extract(epoch FROM min(created_at)) * 1000)::float8 AS "bornAt",
      max(life_at) AS "lifeAt", count(*) FILTER (WHERE is_unheld)::int AS unheld
    FROM counted GROUP BY host, verdict`)) as unknown as { rows: Row[] }
  const byHost = Map.groupBy(rows, ({ host }) => host)
  if (byHost.size === 0) return []
  const tags = await sharedTags(db)
  return [...byHost].map(([host, parts]) => merged(parts, tags.get(host)))
}

/** What a host is, from its streams of each verdict. */
function merged(rows: readonly Row[], shared: SharedTag | undefined): Host {
  const parts = rows.toSorted((a, b) => WORST_FIRST.indexOf(a.verdict) - WORST_FIRST.indexOf(b.verdict))
  const sum = (of: (row: Row) => number) => parts.reduce((total, row) => total + of(row), 0)
  const [{ host, verdict, reason }] = parts as [Row]
  const streams = sum((row) => row.streams)
  const lastAt = Math.max(...parts.map(({ lifeAt }) => lifeAt ?? 0))
  return {
    host,
    streams,
    tag: shared !== undefined && shared.streams * 2 > streams ? shared.tag : undefined,
    byVerdict: Object.fromEntries(parts.map((row) => [row.verdict, row.streams])),
    worst: verdict,
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
  /** How many running streams of the host have it. */
  streams: number
}

/** The most frequent tag of each host; of two, the first in the alphabet. */
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
