import { inArray, type SQL, sql } from 'drizzle-orm'
import { type FailureTally, HOST_SHARE, HOST_STREAMS, type HostTally } from '../../core/judging/blame.ts'
import { HELD_WITHIN_MS } from '../../core/judging/status.ts'
import { withStanding } from '../../core/sets/statuses.ts'
import type { Database } from '../../storage/storage.ts'
import { hostOf } from '../../streams/ingest/host.ts'
import { isSharedAs } from '../../streams/registry/visibility.ts'
import { isRun } from '../../streams/status/is-run.ts'

/** The host of a stream's URL, with its port. */
export const HOST = hostOf(sql.raw('s.url'))
/**
 * Streams that open incidents. Twins would repeat their streams' faults, idle proxied streams stop when nobody
 * subscribes, and a stream that the proxy follows with somebody's own headers is private.
 */
export const WATCHED = sql`s.twin_of IS NULL AND s.always_on AND ${isSharedAs('s')}`

/**
 * The standing of every stream, as the rows of a subquery: `resting`, `unheld` (no worker runs it), `down`, `failing` (though
 * not for long), `degraded`, `up`, or `unknown`, while it connects.
 */
export function standings(now: number): SQL {
  const held = new Date(now - HELD_WITHIN_MS).toISOString()
  return sql`(
    SELECT s.id, s.name, CASE WHEN ${isRun('s')} THEN ${HOST} END AS host, st.verdict, st.verdict_reason, st.verdict_since,
      CASE
        WHEN s.desired <> 'running' THEN 'resting'
        WHEN ${isRun('s')} AND (w.seen_at IS NULL OR w.seen_at < ${held}::timestamptz) THEN 'unheld'
        WHEN ${has('down')} THEN 'down'
        WHEN ${has('failing')} THEN 'failing'
        WHEN ${has('degraded')} THEN 'degraded'
        WHEN ${has('up')} OR (${has('connecting')} AND st.evidence->>'phase' = 'open') THEN 'up'
        ELSE 'unknown'
      END AS standing,
      greatest((st.evidence->>'lastByteAt')::float8, (st.evidence->>'lastPollAt')::float8) AS life_at,
      (st.evidence->>'failingSince')::float8 AS failing_since,
      (st.evidence->>'recoveredAt')::float8 AS recovered_at
    FROM weir.states st JOIN weir.streams s ON s.id = st.stream_id LEFT JOIN weir.workers w ON w.name = st.worker
    WHERE ${WATCHED})`
}

/** A degraded stream fails or is up, as its last check did. */
const IS_FAILING = sql`(standing IN ('down', 'failing') OR standing = 'degraded' AND failing_since IS NOT NULL)`
export const IS_UP = sql`(standing = 'up' OR standing = 'degraded' AND failing_since IS NULL)`

function has(standing: Parameters<typeof withStanding>[0]): SQL {
  return inArray(sql`st.verdict`, withStanding(standing))
}

/** Failing streams, by what they share. */
export interface FailingFleet {
  hosts: HostTally[]
  /** Streams that should run but that no worker runs. */
  unheld: number
}

const FAILING_AT = sql`coalesce(failing_since, extract(epoch FROM verdict_since) * 1000)`

interface HostRow extends FailureTally {
  host: string
  lifeAt: number | null
  failingAt: number | null
  downAt: number | null
  unheld: number
}

export async function fleetOf(tx: Database, now: number): Promise<FailingFleet> {
  const { rows } = (await tx.execute(sql`
    SELECT host, count(*)::int AS total,
      count(*) FILTER (WHERE ${IS_FAILING})::int AS failing,
      count(*) FILTER (WHERE ${IS_UP})::int AS up,
      count(*) FILTER (WHERE standing = 'unheld')::int AS unheld,
      max(life_at)::float8 AS "lifeAt",
      max(${FAILING_AT}) FILTER (WHERE ${IS_FAILING})::float8 AS "failingAt",
      (array_agg(${FAILING_AT} ORDER BY ${FAILING_AT}) FILTER (WHERE ${IS_FAILING}))[
        greatest(${HOST_STREAMS}::int, ceil(count(*) * ${HOST_SHARE}::float8)::int)]::float8 AS "downAt"
    FROM ${standings(now)} AS standing WHERE standing <> 'resting' AND host IS NOT NULL GROUP BY host`)) as {
    rows: HostRow[]
  }
  return {
    hosts: rows.map(({ host, total, failing, up, lifeAt, failingAt, downAt }) => ({
      ...{ host, total, failing, up },
      lifeAt: lifeAt ?? undefined,
      failingAt: failingAt ?? undefined,
      downAt: downAt ?? undefined,
    })),
    unheld: rows.reduce((sum, { unheld }) => sum + unheld, 0),
  }
}

/** A failing stream, or one that no worker runs. */
export interface TroubledStream {
  id: string
  /** Null for a stream to which something is pushed: no host is asked. */
  host: string | null
  isHeld: boolean
}

/** Every failing stream, and every stream that no worker runs, in the order of registration. */
export async function troubled(db: Database, now: number): Promise<TroubledStream[]> {
  const { rows } = (await db.execute(sql`
    SELECT id, host, standing <> 'unheld' AS "isHeld" FROM ${standings(now)} AS standing
    WHERE standing = 'unheld' OR ${IS_FAILING} ORDER BY id`)) as { rows: object[] }
  return rows as TroubledStream[]
}

/** The streams that an incident of a host, the outbound network or the workers is about. */
export function streamsBehind(
  list: readonly TroubledStream[],
  { cause, host }: { cause: string; host: string | null },
): string[] {
  return list
    .filter((stream) => stream.isHeld === (cause !== 'workers') && (host === null || stream.host === host))
    .map(({ id }) => id)
}

/** The running streams of a host, in the order of registration. */
export async function streamsOn(db: Database, host: string): Promise<string[]> {
  const { rows } = (await db.execute(sql`
    SELECT s.id FROM weir.streams s WHERE s.desired = 'running' AND ${isRun('s')} AND ${HOST} = ${host} AND ${WATCHED} ORDER BY s.id`)) as {
    rows: { id: string }[]
  }
  return rows.map(({ id }) => id)
}
