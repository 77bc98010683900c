import { sql } from 'drizzle-orm'
import type { Graph } from '../../core/graph.ts'
import type { Verdict } from '../../core/judging/verdict.ts'
import type { Database } from '../../storage/storage.ts'
import { OWN_PREFIX } from '../rules.ts'
import { edge, instant, node, STREAMS_ID, type Window } from './part.ts'

const NAME = 'archive'

interface LastDay {
  day: string
  state: 'running' | 'done' | 'failed'
  error: string | null
  since: number
}

/** The archive, and the objects that were put there. */
export async function archiveParts(db: Database, window: Window): Promise<Graph> {
  const last = await lastDay(db, window)
  const [verdict, reason] = stateOf(last)
  const part = { id: NAME, name: 'Archive', kind: 'archive', group: 'Weir', href: '/archive' } as const
  return {
    services: [node({ ...part, verdict, reason, since: last?.since ?? 0 })],
    calls: [edge(STREAMS_ID, OWN_PREFIX + NAME, await uploads(db, window), { window })],
  }
}

function stateOf(last: LastDay | undefined): [Verdict, string] {
  switch (last?.state) {
    case undefined:
      return ['quiet', 'Nothing was archived yet.']
    case 'running':
      return ['live', `${last?.day} is being archived.`]
    case 'done':
      return ['live', `Archived up to ${last?.day}.`]
    case 'failed':
      return ['dead', `${last?.day} is not archived: ${last?.error ?? 'it failed.'}`]
  }
}

async function lastDay(db: Database, { to }: Window): Promise<LastDay | undefined> {
  const { rows } = (await db.execute(sql`
    SELECT to_char(day, 'YYYY-MM-DD') AS day, error,
      CASE WHEN ended_at > ${instant(to)} THEN 'running' ELSE state END AS state,
      (extract(epoch FROM coalesce(ended_at, started_at)) * 1000)::float8 AS since
    FROM weir.archive_days WHERE started_at <= ${instant(to)} ORDER BY day DESC LIMIT 1`)) as unknown as {
    rows: LastDay[]
  }
  return rows[0]
}

/** Of the days that were being archived meanwhile; a day that failed is one failure. */
async function uploads(db: Database, { from, to }: Window) {
  const { rows } = (await db.execute(sql`
    SELECT count(*) FILTER (WHERE NOT is_failure)::int AS uploaded, count(*) FILTER (WHERE is_failure)::int AS errors,
      (extract(epoch FROM max(at)) * 1000)::float8 AS "lastAt"
    FROM (
      SELECT object.archived_at AS at, false AS is_failure
      FROM weir.archive_days AS day JOIN weir.archives AS object USING (day)
      WHERE day.ended_at IS NULL OR day.state = 'running' OR day.ended_at >= ${instant(from)}
      UNION ALL
      SELECT ended_at, true FROM weir.archive_days WHERE state = 'failed'
    ) AS work WHERE at >= ${instant(from)} AND at <= ${instant(to)}`)) as unknown as {
    rows: [{ uploaded: number; errors: number; lastAt: number | null }]
  }
  const [{ uploaded, errors, lastAt }] = rows
  return { calls: uploaded + errors, errors, ...(lastAt !== null && { lastAt }) }
}
