import { type SQL, sql } from 'drizzle-orm'
import type { HostTally, Tally } from '../../core/judging/blame.ts'
import { HELD_WITHIN_MS } from '../../core/judging/verdict.ts'
import type { Database } from '../../storage/storage.ts'
import { hostOf } from '../../streams/ingest/host.ts'
import { isSharedAs } from '../../streams/registry/visibility.ts'

/** The host of a stream's URL, with its port. */
export const HOST = hostOf(sql.raw('s.url'))
/**
 * Streams that incidents are about: twins show their streams' faults again, others rest when nobody looks, and what the
 * proxy follows with somebody's own headers is nobody else's to know.
 */
export const WATCHED = sql`s.twin_of IS NULL AND s.always_on AND ${isSharedAs('s')}`

/**
 * How every stream stands, as the rows of a subquery: `resting`, `unheld` (no worker has it), `down`, `failing` (though
 * not for long), `up`, or `unknown`, while it connects.
 */
export function standings(now: number): SQL {
  const held = new Date(now - HELD_WITHIN_MS).toISOString()
  return sql`(
    SELECT s.id, s.name, ${HOST} AS host, st.verdict, st.verdict_reason, st.verdict_since,
      CASE
        WHEN s.desired <> 'running' THEN 'resting'
        WHEN w.seen_at IS NULL OR w.seen_at < ${held}::timestamptz THEN 'unheld'
        WHEN st.verdict IN ('stalled', 'dead') THEN 'down'
        WHEN st.verdict = 'backing-off' THEN 'failing'
        WHEN st.verdict = 'live' OR (st.verdict = 'quiet' AND st.evidence->>'phase' = 'open') THEN 'up'
        ELSE 'unknown'
      END AS standing,
      greatest((st.evidence->>'lastByteAt')::float8, (st.evidence->>'lastPollAt')::float8) AS life_at,
      (st.evidence->>'failingSince')::float8 AS failing_since
    FROM weir.states st JOIN weir.streams s ON s.id = st.stream_id LEFT JOIN weir.workers w ON w.name = st.worker
    WHERE ${WATCHED})`
}

/** Streams that fail, by what they share. */
export interface Fleet {
  hosts: HostTally[]
  /** Streams that should run and that no worker has. */
  unheld: number
}

export async function fleetOf(tx: Database, now: number): Promise<Fleet> {
  const { rows } = (await tx.execute(sql`
    SELECT host, count(*)::int AS total,
      count(*) FILTER (WHERE standing IN ('down', 'failing'))::int AS failing,
      count(*) FILTER (WHERE standing = 'up')::int AS up,
      count(*) FILTER (WHERE standing = 'unheld')::int AS unheld,
      max(life_at)::float8 AS "lifeAt",
      max(coalesce(failing_since, extract(epoch FROM verdict_since) * 1000))
        FILTER (WHERE standing IN ('down', 'failing'))::float8 AS "failingAt"
    FROM ${standings(now)} AS standing WHERE standing <> 'resting' GROUP BY host`)) as {
    rows: (Tally & { host: string; lifeAt: number | null; failingAt: number | null; unheld: number })[]
  }
  return {
    hosts: rows.map(({ host, total, failing, up, lifeAt, failingAt }) => {
      return { host, total, failing, up, lifeAt: lifeAt ?? undefined, failingAt: failingAt ?? undefined }
    }),
    unheld: rows.reduce((sum, { unheld }) => sum + unheld, 0),
  }
}

/** A stream that fails, or that no worker has. */
export interface Troubled {
  id: string
  host: string
  isHeld: boolean
}

/** Every stream that fails, or that no worker has, in the order of their registration. */
export async function troubled(db: Database, now: number): Promise<Troubled[]> {
  const { rows } = (await db.execute(sql`
    SELECT id, host, standing <> 'unheld' AS "isHeld" FROM ${standings(now)} AS standing
    WHERE standing IN ('down', 'failing', 'unheld') ORDER BY id`)) as { rows: object[] }
  return rows as Troubled[]
}

/** Those of them that an incident of a host, the way out or the workers is about. */
export function streamsBehind(
  list: readonly Troubled[],
  { cause, host }: { cause: string; host: string | null },
): string[] {
  return list
    .filter((stream) => stream.isHeld === (cause !== 'workers') && (host === null || stream.host === host))
    .map(({ id }) => id)
}
