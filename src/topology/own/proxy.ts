import { sql } from 'drizzle-orm'
import type { Graph } from '../../core/graph.ts'
import { MINUTE_MS } from '../../core/time.ts'
import type { Database } from '../../storage/storage.ts'
import { timestamp } from '../../storage/timestamp.ts'
import { OWN_PREFIX } from '../rules.ts'
import { type CallWindow, edge, partNode, plural, STREAMS_ID } from './part.ts'

/** Time after the start of a minute by which every process has stored its subscribers, in milliseconds. */
const WRITTEN_MS = 10_000
const NAME = 'proxy'
const PROXY_ID = OWN_PREFIX + NAME

interface Usage {
  /** Existing streams that the proxy created. */
  streams: number
  /** Connected subscribers, and the number of their streams. */
  open: number
  followed: number
  /** Versions of the streams. */
  events: number
  /** Versions times the average number of subscribers, plus the snapshots sent. */
  deliveries: number
  /** Subscribers that were closed because they were too slow. */
  slow: number
}

/** The proxy and its subscribers; nothing if the proxy was never used. */
export async function proxyParts(db: Database, window: CallWindow): Promise<Graph> {
  const { streams, open, followed, events, deliveries, slow } = await usage(db, window)
  if (streams === 0) return { services: [], calls: [] }
  const status = open > 0 ? 'live' : 'quiet'
  const of = plural(followed, 'API')
  const reason =
    open > 0 ? `${plural(open, 'subscriber follows', 'subscribers follow')} ${of}.` : 'No subscribers.'
  const subscribers = `${open === 0 ? 'No subscribers' : plural(open, 'subscriber')} connected`
  const said = { group: 'Weir', status, reason, since: 0 } as const
  return {
    services: [
      partNode({ ...said, id: NAME, name: 'Proxy', kind: 'proxy', href: '/streams' }),
      partNode({ ...said, id: 'subscribers', name: subscribers, kind: 'subscribers' }),
    ],
    calls: [
      edge(STREAMS_ID, PROXY_ID, { calls: events, errors: 0 }, { window }),
      edge(PROXY_ID, `${OWN_PREFIX}subscribers`, { calls: deliveries, errors: slow }, { window }),
    ],
  }
}

async function usage(db: Database, { from, to }: CallWindow): Promise<Usage> {
  const start = timestamp(from)
  const end = timestamp(to)
  const { rows } = (await db.execute(sql`
    SELECT count(*)::int AS streams, coalesce(sum(open), 0)::int AS open,
      count(*) FILTER (WHERE open > 0)::int AS followed, coalesce(sum(events), 0)::float8 AS events,
      round(coalesce(sum(snapshots + coalesce(events, 0) * subscriber_ms / ${to - from + 1}::float8), 0))::float8
        AS deliveries,
      coalesce(sum(slow), 0)::float8 AS slow
    FROM weir.streams AS stream
    LEFT JOIN LATERAL (
      SELECT sum(snapshots) AS snapshots, sum(subscriber_ms) AS subscriber_ms, sum(slow) AS slow,
        max(open) FILTER (WHERE minute > ${timestamp(to - WRITTEN_MS - MINUTE_MS)}) AS open
      FROM weir.fanouts AS fanout WHERE fanout.stream_id = stream.id AND minute >= ${start} AND minute <= ${end}
    ) AS sent ON true
    LEFT JOIN LATERAL (
      SELECT sum(events) AS events FROM weir.rollups AS rollup
      WHERE rollup.stream_id = stream.id AND minute >= ${start} AND minute <= ${end}
    ) AS made ON true
    WHERE stream.proxy_key IS NOT NULL AND stream.created_at <= ${end}`)) as unknown as { rows: [Usage] }
  return rows[0]
}
