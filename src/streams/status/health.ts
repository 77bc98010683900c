import { and, eq, isNull, lt, notInArray, or, sql } from 'drizzle-orm'
import { runs, states, streams, workers } from '../../../drizzle/schema.ts'
import type { Bus } from '../../bus/bus.ts'
import { type Evidence, judge } from '../../core/judging/status.ts'
import { PUSHED_KINDS } from '../../core/sets/stream-kinds.ts'
import { DAY_MS } from '../../core/time.ts'
import type { Database } from '../../storage/storage.ts'
import type { JobControl } from '../registry/streams.ts'
import { expectation } from './expectation.ts'
import { isRun } from './is-run.ts'
import type { StatusDeps } from './status.ts'

/** A worker not seen for this long, in milliseconds, is removed from the list. */
const FORGET_WORKER_MS = DAY_MS
/** A worker not seen for this long, in milliseconds, has no share of the streams. */
export const WORKER_ALIVE_MS = 7_000
/** A stream that should run and that no worker has held for this long, in milliseconds, gets its job again. */
const UNHELD_MS = 5_000
/** Maximum number of jobs created by one reconciliation: the next one creates the rest. */
const RECONCILE_LIMIT = 20_000

/**
 * Updates statuses that changed only because time passed: silence, late polls, a lost worker.
 * @returns how many changed
 */
export async function judgeAll(deps: StatusDeps & { bus: Bus }): Promise<number> {
  const { db, limits } = deps
  const now = deps.now()
  const rows = await db
    .select({
      id: streams.id,
      kind: streams.kind,
      desired: streams.desired,
      intervalMs: streams.intervalMs,
      silenceMs: streams.silenceMs,
      deadAfterFailures: streams.deadAfterFailures,
      deadAfterMs: streams.deadAfterMs,
      state: states,
      seenAt: workers.seenAt,
    })
    .from(states)
    .innerJoin(streams, eq(streams.id, states.streamId))
    .leftJoin(workers, eq(workers.name, states.worker))
  const changed = rows.flatMap(({ id, state, seenAt, ...stream }) => {
    const judged = judge(state.evidence as Evidence, expectation(stream, limits, seenAt), now)
    if (judged.status === state.status) return []
    const since = new Date(judged.since ?? now).toISOString()
    return [{ stream_id: id, epoch: state.epoch, was: state.status, ...judged, since }]
  })
  if (changed.length === 0) return 0
  await db.execute(sql`
    UPDATE weir.states AS state
    SET verdict = row.status, verdict_reason = row.reason, verdict_since = row.since
    FROM json_to_recordset(${JSON.stringify(changed)}::json)
      AS row(stream_id uuid, epoch int, was text, status text, reason text, since timestamptz)
    WHERE state.stream_id = row.stream_id AND state.epoch = row.epoch AND state.verdict = row.was`)
  deps.bus.publish({ type: 'stream.updated', streamIds: changed.map((row) => row.stream_id) })
  return changed.length
}

/**
 * Makes the queue agree with the desired states: every stream that should run and isn't held by a live worker gets a
 * job. Nothing changes for streams that have one, unless it was claimed and nobody holds the stream by now.
 * @returns how many jobs were requested
 */
export async function reconcile(
  db: Database,
  control: Pick<JobControl, 'runLater' | 'claims' | 'free'>,
  now: number,
): Promise<number> {
  const before = new Date(now - UNHELD_MS)
  // Not held, and not only for the moment between two runs.
  const isUnheld = sql<boolean>`${workers.name} IS NULL AND coalesce(${runs.endedAt} < ${before.toISOString()}::timestamptz, true)`
  const rows = await db
    .select({ id: streams.id, isUnheld })
    .from(streams)
    .innerJoin(states, eq(states.streamId, streams.id))
    .leftJoin(workers, eq(workers.name, states.worker))
    .leftJoin(runs, and(eq(runs.streamId, states.streamId), eq(runs.epoch, states.epoch)))
    .where(
      and(
        eq(streams.desired, 'running'),
        notInArray(streams.kind, PUSHED_KINDS),
        or(isNull(workers.seenAt), lt(workers.seenAt, before)),
      ),
    )
    .limit(RECONCILE_LIMIT)
  const ids = rows.map((row) => row.id)
  if (ids.length > 0) await control.runLater(ids)
  const unheld = new Set(rows.filter((row) => row.isUnheld).map((row) => row.id))
  if (unheld.size > 0) {
    const claims = await control.claims((id) => unheld.has(id))
    await control.free(claims.filter(({ at }) => at < before.getTime()).map(({ id }) => id))
  }
  return ids.length
}

/** A worker's last heartbeat. */
export interface Sign {
  name: string
  seenAt: Date
}

/** The workers and what they share, as one of them sees it. */
export interface Sight {
  /** All workers that were seen and haven't left, ordered by name. */
  signs: Sign[]
  /** Streams that should run. */
  running: number
}

/** Writes a worker's heartbeat with the number of streams it runs, and reads those of the others. */
export async function exchangeHeartbeats(
  db: Database,
  name: string,
  held: number,
  now: Date,
): Promise<Sight> {
  const [at, longAgo] = [now, new Date(now.getTime() - FORGET_WORKER_MS)].map((date) => date.toISOString())
  // One statement, because it runs every second.
  const { rows } = (await db.execute(sql`
    WITH own AS (
      INSERT INTO weir.workers (name, started_at, seen_at, streams)
      VALUES (${name}, ${at}::timestamptz, ${at}::timestamptz, ${held})
      ON CONFLICT (name) DO UPDATE SET seen_at = excluded.seen_at, streams = excluded.streams
      RETURNING name, seen_at
    ), forgotten AS (
      DELETE FROM weir.workers WHERE seen_at < ${longAgo}::timestamptz AND name <> ${name}
    ), sign AS (
      SELECT * FROM own
      UNION ALL SELECT name, seen_at FROM weir.workers WHERE seen_at >= ${longAgo}::timestamptz AND name <> ${name}
    )
    SELECT name, extract(epoch FROM seen_at)::float8 * 1000 AS seen_at,
      (SELECT count(*)::int FROM weir.streams WHERE desired = 'running' AND ${isRun('streams')}) AS running
    FROM sign ORDER BY name`)) as { rows: { name: string; seen_at: number; running: number }[] }
  const signs = rows.map((row) => ({ name: row.name, seenAt: new Date(Math.round(row.seen_at)) }))
  return { signs, running: rows[0]?.running ?? 0 }
}

/** A worker is shutting down: it has no share any more, but still holds the streams that nobody has taken over. */
export async function retireWorker(db: Database, name: string, now: Date): Promise<void> {
  const seenAt = new Date(now.getTime() - WORKER_ALIVE_MS)
  await db.update(workers).set({ seenAt }).where(eq(workers.name, name))
}

/** A worker has released everything: its streams are free at once. */
export async function leaveWorker(db: Database, name: string): Promise<void> {
  await db.delete(workers).where(eq(workers.name, name))
}
