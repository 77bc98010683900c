import { sql } from 'drizzle-orm'
import { DAY_MS, HOUR_MS } from '../core/time.ts'
import { dayOf, startOfDay } from '../storage/partitions.ts'
import type { Database } from '../storage/storage.ts'
import { timestamp } from '../storage/timestamp.ts'
import { SUMS } from '../streams/measures/rollup-delta.ts'
import { CONNECTED_MS } from '../streams/measures/rollup-source.ts'
import { readMarks, setMark } from './marks.ts'

/** An hour is rolled up this long after its end, in milliseconds, … */
const SETTLE_MS = 300_000
/** … and again every hour for this long, so that entries that waited for an unreachable database count. */
const LATE_MS = DAY_MS
/** Streams rolled up in one statement. */
const STREAMS_PER_STEP = 50

/**
 * Rolls up minutes into hours, and hours into days, in UTC. Rows are rebuilt each time, so it is idempotent; it does
 * something once an hour.
 */
export async function rollUp({ db, now }: { db: Database; now(): number }): Promise<void> {
  const goal = floorHour(now() - SETTLE_MS)
  const marks = await readMarks(db, ['rolled', 'minutes'])
  const rolled = marks.get('rolled')?.at.getTime()
  if (rolled === goal) return
  const gone = marks.get('minutes')?.at.getTime() ?? 0
  // A mark ahead of the clock was set by a wrong clock.
  let from = rolled === undefined ? 0 : Math.max(Math.min(rolled, goal) - LATE_MS, gone)
  const ids = await streamIds(db)
  for (;;) {
    const first = await firstMinute(db, from, goal)
    if (first === undefined) break
    const to = Math.min(startOfDay(dayOf(first)) + DAY_MS, goal)
    await rollUpWithin(db, ids, floorHour(first), to)
    from = to
  }
  await setMark(db, 'rolled', new Date(goal))
}

/** Within one day. */
async function rollUpWithin(db: Database, ids: readonly string[], from: number, to: number): Promise<void> {
  const day = dayOf(from)
  for (let index = 0; index < ids.length; index += STREAMS_PER_STEP) {
    const wanted = JSON.stringify(ids.slice(index, index + STREAMS_PER_STEP))
    const some = sql`(SELECT id::uuid FROM json_array_elements_text(${wanted}::json) AS wanted(id))`
    await upsert(
      db,
      sql`SELECT rollup.stream_id, 'hour', date_trunc('hour', rollup.minute, 'UTC'), ${SUMMED}, sum(${CONNECTED_MS})
        FROM (SELECT *, NULL::bigint AS connected_ms FROM weir.rollups) AS rollup
        JOIN weir.streams ON streams.id = rollup.stream_id
        WHERE rollup.stream_id IN ${some} AND rollup.minute >= ${timestamp(from)} AND rollup.minute < ${timestamp(to)}
        GROUP BY 1, 3`,
    )
    await upsert(
      db,
      sql`SELECT rollup.stream_id, 'day', ${timestamp(startOfDay(day))}, ${SUMMED}, sum(rollup.connected_ms)
        FROM weir.long_rollups AS rollup
        WHERE rollup.stream_id IN ${some} AND rollup.step = 'hour'
          AND rollup.at >= ${timestamp(startOfDay(day))} AND rollup.at < ${timestamp(startOfDay(day) + DAY_MS)}
        GROUP BY 1`,
    )
  }
}

const SUMMED = sql.raw(
  ['min(rollup.first_seq)', 'max(rollup.last_seq)', ...SUMS.map((name) => `sum(rollup.${name})`)].join(', '),
)
const TARGETS = ['first_seq', 'last_seq', ...SUMS, 'connected_ms']

async function upsert(db: Database, rows: ReturnType<typeof sql>): Promise<void> {
  const columns = sql.raw(TARGETS.join(', '))
  const set = sql.raw(TARGETS.map((name) => `${name} = excluded.${name}`).join(', '))
  await db.execute(sql`INSERT INTO weir.long_rollups (stream_id, step, at, ${columns}) ${rows}
    ON CONFLICT (stream_id, step, at) DO UPDATE SET ${set}`)
}

/** The next minute with data: months without streams, or a wrong clock, take no steps. */
async function firstMinute(db: Database, from: number, to: number): Promise<number | undefined> {
  const { rows } = (await db.execute(sql`
    SELECT min(minute) AS minute FROM weir.rollups WHERE minute >= ${timestamp(from)} AND minute < ${timestamp(to)}`)) as {
    rows: { minute: string | null }[]
  }
  const minute = rows[0]?.minute
  return minute == null ? undefined : new Date(minute).getTime()
}

async function streamIds(db: Database): Promise<string[]> {
  const { rows } = (await db.execute(sql`SELECT id FROM weir.streams ORDER BY id`)) as {
    rows: { id: string }[]
  }
  return rows.map(({ id }) => id)
}

function floorHour(ms: number): number {
  return Math.floor(ms / HOUR_MS) * HOUR_MS
}
