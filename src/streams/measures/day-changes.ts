import { type SQL, sql } from 'drizzle-orm'
import { streams } from '../../../drizzle/schema.ts'
import type { Comparisons } from '../../core/change/groups.ts'
import { type Estimate, estimateRate } from '../../core/change/rate.ts'
import { POLLED_KINDS, STREAM_KIND } from '../../core/sets/stream-kinds.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../core/time.ts'
import type { Database } from '../../storage/storage.ts'
import { timestamp } from '../../storage/timestamp.ts'
import { type Compared, polledRow } from './comparisons.ts'

/** In lists, nearly every poll finding a change counts as this many changes an interval. */
const MOST_PER_INTERVAL = 3

/** Minutes that lists are sorted by before they are rolled up, in milliseconds. */
const LAST_MS = 5 * MINUTE_MS

/** A day's sums, and those of the part whose times were recorded. */
type DaySums = Pick<Comparisons, 'compared' | 'changed'> & {
  timedCompared: number
  timedChanged: number
  comparedMs: number
  changedMs: number
}

/** Where the sums that lists are sorted by start: with the UTC day before. */
function sortedFrom(to: number): number {
  return Math.floor(to / DAY_MS) * DAY_MS - DAY_MS
}

/**
 * Sums of each stream as `rate`, for sorting: two UTC days as far as they are rolled up, and the last minutes. Adding up the
 * hours and minutes of a day took 2 s for 10,000 streams.
 */
export function sortedChanges(to: number): SQL {
  return summed(sql`
    SELECT ${COLUMNS} FROM weir.long_rollups
    WHERE step = 'day' AND at >= ${timestamp(sortedFrom(to))} AND at < ${timestamp(to)}
    UNION ALL
    SELECT ${COLUMNS} FROM weir.rollups
    WHERE minute >= greatest(${ROLLED}, ${timestamp(to - LAST_MS)}) AND minute < ${timestamp(to)}`)
}

/** Sums of some streams' last 24 hours: the hours that are rolled up, and the minutes since. The first hour counts in full. */
function dayChanges(to: number, ids: readonly string[]): SQL {
  const from = timestamp(Math.floor((to - DAY_MS) / HOUR_MS) * HOUR_MS)
  const some = sql`stream_id IN (SELECT id::uuid FROM json_array_elements_text(${JSON.stringify(ids)}::json) AS wanted(id))`
  return summed(sql`
    SELECT ${COLUMNS} FROM weir.long_rollups
    WHERE step = 'hour' AND at >= ${from} AND at < least(${ROLLED}, ${timestamp(to)}) AND ${some}
    UNION ALL
    SELECT ${COLUMNS} FROM weir.rollups
    WHERE minute >= greatest(${ROLLED}, ${from}) AND minute < ${timestamp(to)} AND ${some}`)
}

const COLUMNS = sql.raw('stream_id, compared, changed, compared_ms, changed_ms')
const ROLLED = sql.raw(`coalesce((SELECT at FROM weir.marks WHERE name = 'rolled'), '-infinity')`)

function summed(rows: SQL): SQL {
  return sql`(
    SELECT stream_id, sum(compared)::float8 AS compared, sum(changed)::float8 AS changed,
      coalesce(sum(compared) FILTER (WHERE compared_ms > 0), 0)::float8 AS timed_compared,
      coalesce(sum(changed) FILTER (WHERE compared_ms > 0), 0)::float8 AS timed_changed,
      sum(compared_ms)::float8 AS compared_ms, sum(changed_ms)::float8 AS changed_ms
    FROM (${rows}) AS row GROUP BY stream_id) AS rate`
}

/** Changes per millisecond from {@link sortedChanges}, for lists in that order; null if nothing was compared. */
export function changesKey(to: number): SQL {
  const [compared, changed] = ['compared', 'changed'].map((name) =>
    sql.raw(`(CASE WHEN rate.timed_compared > 0 THEN rate.timed_${name} ELSE rate.${name} END)`),
  ) as [SQL, SQL]
  const ageMs = sql`greatest(1, least(${to - sortedFrom(to)}::float8, ${to}::float8 - extract(epoch FROM ${streams.createdAt}) * 1000))`
  const intervalMs = sql`coalesce(nullif(rate.compared_ms, 0) / rate.timed_compared, ${streams.intervalMs})`
  const polled = sql.join(
    POLLED_KINDS.map((kind) => sql`${kind}`),
    sql`, `,
  )
  return sql`CASE WHEN coalesce(rate.compared, 0) = 0 THEN NULL
    WHEN ${streams.kind} NOT IN (${polled}) THEN rate.changed / ${ageMs}
    WHEN ${changed} = 0 THEN 0
    ELSE least(${MOST_PER_INTERVAL}, ln((${compared} + 0.5) / (${compared} - ${changed} + 0.5))) / ${intervalMs} END`
}

/** How often each of some streams changed in the last 24 hours, from their sums. */
export async function dayEstimates(
  db: Database,
  some: readonly (Compared & { id: string })[],
  to: number,
): Promise<Map<string, Estimate | null>> {
  if (some.length === 0) return new Map()
  const ids = some.map(({ id }) => id)
  const { rows } = (await db.execute(sql`
    SELECT stream_id AS id, compared, changed, timed_compared AS "timedCompared", timed_changed AS "timedChanged",
      compared_ms AS "comparedMs", changed_ms AS "changedMs" FROM ${dayChanges(to, ids)}`)) as {
    rows: (DaySums & { id: string })[]
  }
  const byId = new Map(rows.map((row) => [row.id, row]))
  return new Map(some.map((stream) => [stream.id, estimated(stream, byId.get(stream.id), to)]))
}

function estimated(stream: Compared, sums: DaySums | undefined, to: number): Estimate | null {
  if (sums === undefined || sums.compared === 0) return null
  const { changed, timedCompared, timedChanged, comparedMs, changedMs } = sums
  if (!STREAM_KIND[stream.kind].isPolled) {
    const seenMs = Math.max(1, Math.min(DAY_MS, to - stream.createdAt.getTime()))
    return estimateRate([{ compared: changed, changed, comparedMs: seenMs, changedMs: 0 }])
  }
  const timed = { compared: timedCompared, changed: timedChanged, comparedMs, changedMs }
  return estimateRate([polledRow(timedCompared > 0 ? timed : sums, stream.intervalMs)])
}
