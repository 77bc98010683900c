import { sql } from 'drizzle-orm'
import { DAY_MS, HOUR_MS } from '../core/time.ts'
import {
  type Day,
  dayOf,
  dropDay,
  listPartitions,
  makePartitions,
  startOfDay,
} from '../storage/partitions.ts'
import type { Database } from '../storage/storage.ts'
import { holdBytes } from './byte-cap.ts'
import { dropLogOfDay, isOldest, logSize } from './drop.ts'
import { readMarks, setMark } from './marks.ts'
import { tidyRest } from './rest.ts'
import { type TrimDeps, trimStreams } from './trim.ts'

/** Limits for all streams together; streams may have tighter ones. */
export interface RetentionBounds {
  /** Whole days, not counting today. */
  retentionDays: number
  /** Omitted: no limit. */
  retentionMaxEntries?: number
  retentionMaxBytes?: number
  /** How many days minute rollups are kept. */
  minutesDays: number
}

export interface RetentionDeps extends TrimDeps {
  bounds: RetentionBounds
}

/** Days dropped by age in one pass; the rest follow in later ones. */
const DAYS_PER_PASS = 5
/** A clock that jumped ahead by more than this between two passes, or a Weir that was off for as long, … */
const JUMP_MS = DAY_MS
/** … suspends dropping by age for this long: a clock that is set right again has lost nothing. */
const TRUST_MS = HOUR_MS
/** How long hourly rollups are kept, in days, so that last year's can be compared. Daily ones stay. */
const HOURS_DAYS = 400
/** How long it is kept when connections were up and down, in days: longer than the longest window that is shown. */
const SPELLS_DAYS = 100
/** Rows of rollups and spells deleted in one pass. */
const DELETE_STEP = 5_000

/** Creates the partitions that are due, and drops what exceeds the limits, in bounded steps. */
export async function retain(deps: RetentionDeps): Promise<void> {
  const { db, bounds } = deps
  await makePartitions(db, deps.now())
  if (await isClockTrusted(db, deps.now())) {
    await dropAged(deps)
    await dropSums(deps)
    await tidyRest(deps, startOfDay(firstKept(deps)))
  }
  if (bounds.retentionMaxEntries !== undefined) await holdEntries(deps, bounds.retentionMaxEntries)
  if (bounds.retentionMaxBytes !== undefined) await holdBytes(deps, bounds.retentionMaxBytes)
  await trimStreams(deps)
}

async function dropAged(deps: RetentionDeps): Promise<void> {
  const { db, now } = deps
  const first = firstKept(deps)
  const { days } = await logSize(db)
  const aged = days.filter(({ day }) => day < first)
  for (const day of aged.slice(0, DAYS_PER_PASS)) {
    if (!(await isOldest(db, day.day, now()))) continue
    if ((await dropLogOfDay(deps, day, 'age')) !== 'dropped') return
  }
}

/** The oldest day that is kept by age. */
function firstKept({ bounds, now }: RetentionDeps): Day {
  return dayOf(now() - bounds.retentionDays * DAY_MS)
}

/** Counts entries as recorded: those deleted by streams' own limits aren't subtracted. */
async function holdEntries(deps: RetentionDeps, most: number): Promise<void> {
  const { db, now } = deps
  const { days } = await logSize(db)
  const counts = await entriesByDay(db, now())
  let total = days.reduce((sum, { day }) => sum + (counts.get(day) ?? 0), 0)
  for (const day of days) {
    if (total <= most || day.day >= dayOf(now())) return
    if ((await dropLogOfDay(deps, day, 'entries')) !== 'dropped') return
    total -= counts.get(day.day) ?? 0
  }
}

/** Entries recorded by day: from hours, and the minutes since. */
export async function entriesByDay(db: Database, nowMs: number): Promise<Map<Day, number>> {
  const rolled = (await readMarks(db, ['rolled'])).get('rolled')?.at ?? new Date(0)
  const [since, until] = [rolled.toISOString(), new Date(nowMs + DAY_MS).toISOString()]
  const { rows } = (await db.execute(sql`
    SELECT (at AT TIME ZONE 'UTC')::date::text AS day, sum(entries)::float8 AS entries FROM (
      SELECT at, entries FROM weir.fleet_rollups
      WHERE step = 'day' AND at < date_trunc('day', ${since}::timestamptz, 'UTC')
      UNION ALL SELECT at, entries FROM weir.fleet_rollups
      WHERE step = 'hour' AND at >= date_trunc('day', ${since}::timestamptz, 'UTC') AND at < ${since}::timestamptz
      UNION ALL SELECT at, entries FROM weir.fleet_rollups
      WHERE step = 'minute' AND at >= ${since}::timestamptz AND at < ${until}::timestamptz
    ) AS part GROUP BY 1`)) as { rows: { day: Day; entries: number }[] }
  return new Map(rows.map(({ day, entries }) => [day, entries]))
}

/** Drops minute rollups once hours replace them, paths together with their entries, and hours after a year. */
async function dropSums({ db, bounds, now, mayDrop }: RetentionDeps): Promise<void> {
  const rolled = (await readMarks(db, ['rolled'])).get('rolled')?.at.getTime() ?? 0
  const minutes = dayOf(Math.min(now() - bounds.minutesDays * DAY_MS, rolled - 2 * DAY_MS))
  const paths = dayOf(now() - Math.max(bounds.retentionDays, bounds.minutesDays) * DAY_MS)
  const partitions = await listPartitions(db, ['rollups', 'path_rollups'])
  for (const { table, day } of partitions) {
    if (day === 'rest' || day >= (table === 'rollups' ? minutes : paths)) continue
    if (table === 'rollups') {
      // The archive uses them to find the days that aren't archived yet.
      if (mayDrop !== undefined && !(await mayDrop(db, day))) break
      await passMinutes(db, startOfDay(day) + DAY_MS)
    }
    await dropDay(db, [table], day)
  }
  await deleteStraySums(db, minutes)
  const hours = new Date(now() - HOURS_DAYS * DAY_MS).toISOString()
  await db.execute(sql`
    DELETE FROM weir.long_rollups WHERE (stream_id, step, at) IN (
      SELECT stream_id, step, at FROM weir.long_rollups
      WHERE step = 'hour' AND at < ${hours}::timestamptz
      LIMIT ${DELETE_STEP}::int)`)
  await deleteFleetSums(db, hours)
  await deleteSpells(db, new Date(now() - SPELLS_DAYS * DAY_MS).toISOString())
}

async function deleteSpells(db: Database, before: string): Promise<void> {
  await db.execute(sql`
    DELETE FROM weir.spells WHERE (stream_id, from_at, epoch) IN (
      SELECT stream_id, from_at, epoch FROM weir.spells WHERE to_at < ${before}::timestamptz LIMIT ${DELETE_STEP}::int)`)
}

/** Deletes from the rollups of all streams what was deleted from each: minutes of dropped days, and hours. */
async function deleteFleetSums(db: Database, hours: string): Promise<void> {
  await db.execute(sql`
    DELETE FROM weir.fleet_rollups WHERE step = 'hour' AND at < ${hours}::timestamptz
      OR step = 'minute' AND at < (SELECT at FROM weir.marks WHERE name = 'minutes')`)
}

/** Readers use hours from now on; the mark never moves back. */
async function passMinutes(db: Database, until: number): Promise<void> {
  const known = (await readMarks(db, ['minutes'])).get('minutes')?.at.getTime() ?? 0
  if (until > known) await setMark(db, 'minutes', new Date(until))
}

/** Minutes without a partition, and fan-out rows, whose minutes become hours. */
async function deleteStraySums(db: Database, before: Day): Promise<void> {
  const until = sql`${`${before} 00:00:00+00`}::timestamptz`
  await db.execute(sql`
    DELETE FROM weir.rollups_rest WHERE (stream_id, minute) IN (
      SELECT stream_id, minute FROM weir.rollups_rest WHERE minute < ${until} AND minute < (
        SELECT at FROM weir.marks WHERE name = 'minutes'
      ) LIMIT ${DELETE_STEP}::int)`)
  await db.execute(sql`
    WITH old AS (
      DELETE FROM weir.fanouts WHERE (stream_id, minute) IN (
        SELECT stream_id, minute FROM weir.fanouts
        WHERE minute < ${until} AND minute <> date_trunc('hour', minute, 'UTC') LIMIT ${DELETE_STEP}::int
      ) RETURNING *
    )
    INSERT INTO weir.fanouts AS fanout (stream_id, minute, connections, subscriber_ms, wire_bytes, snapshots, slow)
    SELECT stream_id, date_trunc('hour', minute, 'UTC'), sum(connections), sum(subscriber_ms), sum(wire_bytes),
      sum(snapshots), sum(slow)
    FROM old GROUP BY 1, 2
    ON CONFLICT (stream_id, minute) DO UPDATE SET connections = fanout.connections + excluded.connections,
      subscriber_ms = fanout.subscriber_ms + excluded.subscriber_ms,
      wire_bytes = fanout.wire_bytes + excluded.wire_bytes,
      snapshots = fanout.snapshots + excluded.snapshots, slow = fanout.slow + excluded.slow`)
}

async function isClockTrusted(db: Database, nowMs: number): Promise<boolean> {
  const marks = await readMarks(db, ['seen', 'jumped'])
  const seen = marks.get('seen')?.at.getTime() ?? nowMs
  const hasJumped = nowMs - seen > JUMP_MS
  if (hasJumped) await setMark(db, 'jumped', new Date(nowMs))
  await setMark(db, 'seen', new Date(nowMs))
  const jumped = hasJumped ? nowMs : (marks.get('jumped')?.at.getTime() ?? -Infinity)
  return nowMs < jumped || nowMs - jumped >= TRUST_MS
}
