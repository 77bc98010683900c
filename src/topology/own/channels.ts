import { sql } from 'drizzle-orm'
import { errorOf } from '../../channels/channels.ts'
import type { Graph } from '../../core/graph.ts'
import type { Verdict } from '../../core/judging/verdict.ts'
import type { Database } from '../../storage/storage.ts'
import { OWN_PREFIX } from '../rules.ts'
import { edge, instant, node, type Part, plural, STREAMS_ID, type Window, WORST_FIRST } from './part.ts'

/** Channels drawn by themselves: the worst, then the busiest; all others are one node. */
export const MAX_CHANNELS_DRAWN = 50

interface Row {
  id: string
  name: string
  suspendedReason: string | null
  isSuspended: boolean
  since: number
  bornAt: number
  /** Of the newest delivery: where it stands, and its newest attempt. */
  status: 'pending' | 'delivered' | 'failed' | 'cancelled' | null
  error: string | null
  lastAt: number | null
  lastStatus: number | null
  lastMs: number | null
  calls: number
  errors: number
  p50Ms: number | null
  p95Ms: number | null
}

/** The channels, and what was sent to each. */
export async function channelParts(db: Database, window: Window): Promise<Graph> {
  const rows = (await read(db, window)).map((row) => ({ row, part: partOf(row) }))
  rows.sort((a, b) => rank(a.part) - rank(b.part) || b.row.calls - a.row.calls)
  const drawn = rows.slice(0, MAX_CHANNELS_DRAWN)
  const others = rows.slice(MAX_CHANNELS_DRAWN)
  const graph = {
    services: drawn.map(({ part }) => node(part)),
    calls: drawn.map(({ row, part }) => edge(STREAMS_ID, OWN_PREFIX + part.id, countedOf(row), { window })),
  }
  const [worst] = others
  if (worst === undefined) return graph
  const sum = (of: (row: Row) => number) => others.reduce((total, { row }) => total + of(row), 0)
  const rest: Part = {
    ...worst.part,
    id: 'rest-channels',
    name: `and ${plural(others.length, 'more channel')}`,
    kind: 'rest',
    reason: `${worst.row.name}: ${worst.part.reason}`,
    href: '/channels',
  }
  const counted = { calls: sum(({ calls }) => calls), errors: sum(({ errors }) => errors) }
  return {
    services: [...graph.services, node(rest)],
    calls: [...graph.calls, edge(STREAMS_ID, OWN_PREFIX + rest.id, counted, { window })],
  }
}

function rank({ verdict }: Part): number {
  return WORST_FIRST.indexOf(verdict)
}

function partOf(row: Row): Part {
  const [verdict, reason] = stateOf(row)
  const { id, name, since } = row
  return {
    id: `channel:${id}`,
    name,
    kind: 'channel',
    group: 'Channels',
    verdict,
    reason,
    since,
    href: `/channels/${id}`,
  }
}

/** What its newest delivery says of a channel. */
function stateOf({ isSuspended, suspendedReason, status, error, lastAt }: Row): [Verdict, string] {
  if (isSuspended) return ['stopped', `Suspended: ${suspendedReason ?? 'nothing is sent.'}`]
  const why = errorOf(error)?.message
  switch (status) {
    case null:
      return ['quiet', 'Nothing was sent yet.']
    case 'delivered':
      return ['live', 'What was sent last arrived.']
    case 'failed':
      return ['dead', `What was sent last did not arrive${why === undefined ? '.' : `: ${why}`}`]
    case 'cancelled':
      return ['quiet', 'What was to be sent last was cancelled.']
    case 'pending':
      if (lastAt === null) return ['live', 'A message is on its way.']
      return ['backing-off', `A message is tried again${why === undefined ? '.' : `: ${why}`}`]
  }
}

function countedOf({ calls, errors, lastAt, lastStatus, lastMs, p50Ms, p95Ms }: Row) {
  const times = p50Ms === null || p95Ms === null ? {} : { p50Ms, p95Ms }
  const status = lastStatus === null ? {} : { lastStatus }
  return {
    ...{ calls, errors },
    ...times,
    ...status,
    ...(lastAt !== null && { lastAt }),
    ...(lastMs !== null && { lastMs }),
  }
}

/** Attempts are found by their ids, which begin with the time. */
async function read(db: Database, { from, to }: Window): Promise<Row[]> {
  const end = instant(to)
  const { rows } = (await db.execute(sql`
    WITH tried AS (
      SELECT delivery.channel_id, count(*)::int AS calls, count(attempt.error)::int AS errors,
        percentile_disc(0.5) WITHIN GROUP (ORDER BY duration_ms) AS "p50Ms",
        percentile_disc(0.95) WITHIN GROUP (ORDER BY duration_ms) AS "p95Ms"
      FROM weir.attempts AS attempt JOIN weir.deliveries AS delivery ON delivery.id = attempt.delivery_id
      WHERE attempt.id >= ${firstId(from)}::uuid AND attempt.at >= ${instant(from)} AND attempt.at <= ${end}
      GROUP BY 1
    )
    SELECT channel.id, channel.name, suspended_reason AS "suspendedReason",
      coalesce(suspended_at <= ${end}, false) AS "isSuspended",
      (extract(epoch FROM greatest(channel.created_at, suspended_at, last.ended_at)) * 1000)::float8 AS since,
      CASE WHEN last.status <> 'pending' AND last.ended_at > ${end} THEN 'pending' ELSE last.status END AS status,
      last_try.error, (extract(epoch FROM last_try.at) * 1000)::float8 AS "lastAt",
      (last_try.response->>'status')::int AS "lastStatus", last_try.duration_ms AS "lastMs",
      coalesce(calls, 0) AS calls, coalesce(errors, 0) AS errors, "p50Ms", "p95Ms"
    FROM weir.channels AS channel
    LEFT JOIN LATERAL (
      SELECT id, status, ended_at FROM weir.deliveries AS delivery
      WHERE delivery.channel_id = channel.id AND delivery.created_at <= ${end} ORDER BY created_at DESC LIMIT 1
    ) AS last ON true
    LEFT JOIN LATERAL (
      SELECT at, error, response, duration_ms FROM weir.attempts AS attempt
      WHERE attempt.delivery_id = last.id AND attempt.at <= ${end} ORDER BY at DESC LIMIT 1
    ) AS last_try ON true
    LEFT JOIN tried ON tried.channel_id = channel.id
    WHERE channel.created_at <= ${end}
    ORDER BY channel.name`)) as unknown as { rows: Row[] }
  return rows
}

/** The least UUIDv7 of a millisecond. */
function firstId(ms: number): string {
  const hex = ms.toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`
}
