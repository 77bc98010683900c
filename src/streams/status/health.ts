import { and, eq, isNull, lt, or, sql } from 'drizzle-orm'
import { runs, states, streams, workers } from '../../../drizzle/schema.ts'
import { type Evidence, judge } from '../../core/judging/verdict.ts'
import type { Database } from '../../storage/storage.ts'
import type { Control, JobControl } from '../registry/streams.ts'
import { expectation, type StatusDeps } from './status.ts'

/** A worker not seen for this long, in milliseconds, is taken out of the list. */
const FORGET_WORKER_MS = 24 * 3_600_000
/** A worker not seen for this long, in milliseconds, has no share of the streams. */
export const WORKER_ALIVE_MS = 7_000
/** A stream that should run and that no worker has held for this long, in milliseconds, gets its job again. */
const UNHELD_MS = 5_000
/** Most jobs made by one reconciliation: the next one makes the rest. */
const RECONCILE_LIMIT = 20_000

/**
 * Writes the verdicts that time alone has changed: silence, lateness, a worker that is gone.
 * @returns how many changed
 */
export async function judgeAll(deps: StatusDeps & { control: Pick<Control, 'changed'> }): Promise<number> {
  const { db, limits } = deps
  const now = deps.now()
  const rows = await db
    .select({
      id: streams.id,
      kind: streams.kind,
      desired: streams.desired,
      intervalMs: streams.intervalMs,
      state: states,
      seenAt: workers.seenAt,
    })
    .from(states)
    .innerJoin(streams, eq(streams.id, states.streamId))
    .leftJoin(workers, eq(workers.name, states.worker))
  const changed = rows.flatMap(({ id, state, seenAt, ...stream }) => {
    const judged = judge(state.evidence as Evidence, expectation(stream, limits, seenAt), now)
    if (judged.verdict === state.verdict) return []
    return [{ stream_id: id, epoch: state.epoch, was: state.verdict, ...judged }]
  })
  if (changed.length === 0) return 0
  await db.execute(sql`
    UPDATE weir.states AS state
    SET verdict = row.verdict, verdict_reason = row.reason, verdict_since = ${new Date(now).toISOString()}::timestamptz
    FROM json_to_recordset(${JSON.stringify(changed)}::json)
      AS row(stream_id uuid, epoch int, was text, verdict text, reason text)
    WHERE state.stream_id = row.stream_id AND state.epoch = row.epoch AND state.verdict = row.was`)
  deps.control.changed(changed.map((row) => row.stream_id))
  return changed.length
}

/**
 * Makes the queue agree with what should run: every stream that should and that no living worker holds gets a job.
 * For those that have one already, that does nothing, unless it was claimed and nobody holds the stream by now.
 * @returns how many jobs were asked for
 */
export async function reconcile(
  db: Database,
  control: Pick<JobControl, 'runLater' | 'claims' | 'free'>,
  now: number,
): Promise<number> {
  const before = new Date(now - UNHELD_MS)
  // Nobody's, and not only for the moment between two runs.
  const isUnheld = sql<boolean>`${workers.name} IS NULL AND coalesce(${runs.endedAt} < ${before.toISOString()}::timestamptz, true)`
  const rows = await db
    .select({ id: streams.id, isUnheld })
    .from(streams)
    .innerJoin(states, eq(states.streamId, streams.id))
    .leftJoin(workers, eq(workers.name, states.worker))
    .leftJoin(runs, and(eq(runs.streamId, states.streamId), eq(runs.epoch, states.epoch)))
    .where(and(eq(streams.desired, 'running'), or(isNull(workers.seenAt), lt(workers.seenAt, before))))
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

/** A worker's last sign of life. */
export interface Sign {
  name: string
  seenAt: Date
}

/** The workers and what they share, as one of them sees it. */
export interface Sight {
  /** All that were ever seen and didn't take their leave, in the order of their names. */
  signs: Sign[]
  /** Streams that should run. */
  running: number
}

/** Says that a worker lives and how many streams it holds, and looks at the others. */
export async function seeWorkers(db: Database, name: string, held: number, now: Date): Promise<Sight> {
  const [at, longAgo] = [now, new Date(now.getTime() - FORGET_WORKER_MS)].map((date) => date.toISOString())
  // One statement, as it is asked every second for as long as Weir runs.
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
      (SELECT count(*)::int FROM weir.streams WHERE desired = 'running') AS running
    FROM sign ORDER BY name`)) as { rows: { name: string; seen_at: number; running: number }[] }
  const signs = rows.map((row) => ({ name: row.name, seenAt: new Date(Math.round(row.seen_at)) }))
  return { signs, running: rows[0]?.running ?? 0 }
}

/** A worker lets go of everything: it has no share any more, though it still holds what nobody has taken over. */
export async function retireWorker(db: Database, name: string, now: Date): Promise<void> {
  const seenAt = new Date(now.getTime() - WORKER_ALIVE_MS)
  await db.update(workers).set({ seenAt }).where(eq(workers.name, name))
}

/** A worker has let go of everything: what it held is free at once. */
export async function leaveWorker(db: Database, name: string): Promise<void> {
  await db.delete(workers).where(eq(workers.name, name))
}
