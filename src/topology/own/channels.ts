import { sql } from 'drizzle-orm'
import { sendErrorOf } from '../../channels/channels.ts'
import type { Graph } from '../../core/graph.ts'
import { type Status, WORST_FIRST } from '../../core/sets/statuses.ts'
import type { Database } from '../../storage/storage.ts'
import { timestamp } from '../../storage/timestamp.ts'
import { OWN_PREFIX } from '../rules.ts'
import { type CallWindow, edge, type Part, partNode, plural, STREAMS_ID } from './part.ts'

/** Channels drawn individually: the worst, then the busiest; all others are one node. */
export const MAX_CHANNELS_DRAWN = 50

interface Row {
  id: string
  name: string
  suspendedReason: string | null
  isSuspended: boolean
  since: number
  bornAt: number
  /** The newest delivery's status and its newest attempt. */
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
export async function channelParts(db: Database, window: CallWindow): Promise<Graph> {
  const rows = (await read(db, window)).map((row) => ({ row, part: partOf(row) }))
  rows.sort((a, b) => rank(a.part) - rank(b.part) || b.row.calls - a.row.calls)
  const drawn = rows.slice(0, MAX_CHANNELS_DRAWN)
  const others = rows.slice(MAX_CHANNELS_DRAWN)
  const graph = {
    services: drawn.map(({ part }) => partNode(part)),
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
    services: [...graph.services, partNode(rest)],
    calls: [...graph.calls, edge(STREAMS_ID, OWN_PREFIX + rest.id, counted, { window })],
  }
}

function rank({ status }: Part): number {
  return WORST_FIRST.indexOf(status)
}

function partOf(row: Row): Part {
  const [status, reason] = stateOf(row)
  const { id, name, since } = row
  return {
    id: `channel:${id}`,
    name,
    kind: 'channel',
    group: 'Channels',
    status,
    reason,
    since,
    href: `/channels/${id}`,
  }
}

/** A channel's status, from its newest delivery. */
function stateOf({ isSuspended, suspendedReason, status, error, lastAt }: Row): [Status, string] {
  if (isSuspended) return ['stopped', `Suspended: ${suspendedReason ?? 'no notifications are sent.'}`]
  const why = sendErrorOf(error)?.message
  switch (status) {
    case null:
      return ['quiet', 'No deliveries yet.']
    case 'delivered':
      return ['live', 'Last delivery succeeded.']
    case 'failed':
      return ['dead', `Last delivery failed${why === undefined ? '.' : `: ${why}`}`]
    case 'cancelled':
      return ['quiet', 'Last delivery was cancelled.']
    case 'pending':
      if (lastAt === null) return ['live', 'Sending a message.']
      return ['backing-off', `Retrying a delivery${why === undefined ? '.' : `: ${why}`}`]
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

/** Attempts are found by their IDs, which begin with the time. */
async function read(db: Database, { from, to }: CallWindow): Promise<Row[]> {
  const end = timestamp(to)
  const { rows } = (await db.execute(sql`
    WITH tried AS (
      SELECT delivery.channel_id, count(*)::int AS calls, count(attempt.error)::int AS errors,
        percentile_disc(0.5) WITHIN GROUP (ORDER BY duration_ms) AS "p50Ms",
        percentile_disc(0.95) WITHIN GROUP (ORDER BY duration_ms) AS "p95Ms"
      FROM weir.attempts AS attempt JOIN weir.deliveries AS delivery ON delivery.id = attempt.delivery_id
      WHERE attempt.id >= ${firstId(from)}::uuid AND attempt.at >= ${timestamp(from)} AND attempt.at <= ${end}
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

/** The smallest UUIDv7 of a millisecond. */
function firstId(ms: number): string {
  const hex = ms.toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`
}
