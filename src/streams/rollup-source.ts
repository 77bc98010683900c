import { type SQL, sql } from 'drizzle-orm'
import { STEPS_MS, type Step } from '../core/measures.ts'
import type { Database } from '../storage/storage.ts'

const MINUTE_MS = 60_000
const HOUR_MS = STEPS_MS.hour
const DAY_MS = STEPS_MS.day

/** From one instant to another, in milliseconds, the last one excluded. */
export type Range = readonly [from: number, to: number]

/** Which sums answer for a window: no instant is in two of them. */
export interface Parts {
  minutes: Range[]
  hours: Range[]
  days: Range[]
}

/** How far sums go, in milliseconds. */
export interface Horizons {
  /** Whole hours and days are summed up before it. */
  rolled: number
  /** Minutes are gone before it. */
  minutes: number
}

const COLUMNS = sql.raw(
  'stream_id, first_seq, last_seq, entries, events, polls, errors, compared, changed, not_modified, wire_bytes, body_bytes, head_bytes, ' +
    'plain_bytes, gzip_bytes, conditional_bytes, patch_bytes, frame_bytes, deflated_bytes',
)

/**
 * How long the polls of a row kept a subscriber connected, for `rollup` joined with its stream. Of a minute: an interval
 * each, no longer than the minute or one interval, as the interval may have been shorter then; all of it where polls
 * failed, as failures put the next ones off. Longer rows have added that up.
 */
export const CONNECTED_MS = sql.raw(`coalesce(rollup.connected_ms,
  CASE WHEN rollup.errors > 0 THEN greatest(streams.interval_ms, ${MINUTE_MS})
  ELSE least(rollup.polls * streams.interval_ms, greatest(streams.interval_ms, ${MINUTE_MS})) END)`)

/**
 * The sums of a window as `rollup`, joined with `streams`: days and hours where they tell the same as the minutes would,
 * minutes at the edges and where no hour is summed up yet.
 * @param step the shortest time that must be told apart; left out for one sum of all
 */
export async function rollupsWithin(db: Database, from: Date, to: Date, step?: Step): Promise<SQL> {
  const { minutes, hours, days } = partsOf(from.getTime(), to.getTime(), await readHorizons(db), step)
  const ofStep = (name: string, ranges: readonly Range[]) =>
    ranges.map(
      (range) => sql`SELECT at, connected_ms, ${COLUMNS} FROM weir.long_rollups
        WHERE step = ${sql.raw(`'${name}'`)} AND ${within('at', range)}`,
    )
  const parts = [
    ...minutes.map(
      (range) => sql`SELECT minute AS at, NULL::bigint AS connected_ms, ${COLUMNS} FROM weir.rollups
        WHERE ${within('minute', range)}`,
    ),
    ...ofStep('hour', hours),
    ...ofStep('day', days),
  ]
  const rows = sql.join(parts, sql` UNION ALL `)
  return sql`(${rows}) AS rollup JOIN weir.streams ON streams.id = rollup.stream_id`
}

/** Where minutes are gone, the hours that the window begins and ends in count whole. */
export function partsOf(from: number, to: number, { rolled, minutes: gone }: Horizons, step?: Step): Parts {
  const start = floor(from, MINUTE_MS)
  const hoursFrom = start < gone ? floor(start, HOUR_MS) : ceil(start, HOUR_MS)
  const isLate = to > gone
  const last = step === 'minute' ? Math.min(to, gone) : to
  const hoursTo = Math.min(isLate ? floor(last, HOUR_MS) : ceil(last, HOUR_MS), rolled)
  if (hoursFrom >= hoursTo) return { minutes: [[start, Math.max(to, start)]], hours: [], days: [] }
  const daysFrom = ceil(hoursFrom, DAY_MS)
  const daysTo = floor(hoursTo, DAY_MS)
  const hasDays = (step === undefined || step === 'day') && daysFrom < daysTo
  return {
    minutes: notEmpty([
      [start, hoursFrom],
      [hoursTo, to],
    ]),
    hours: notEmpty(
      hasDays
        ? [
            [hoursFrom, daysFrom],
            [daysTo, hoursTo],
          ]
        : [[hoursFrom, hoursTo]],
    ),
    days: hasDays ? [[daysFrom, daysTo]] : [],
  }
}

async function readHorizons(db: Database): Promise<Horizons> {
  const { rows } = (await db.execute(
    sql`SELECT name, at FROM weir.marks WHERE name IN ('rolled', 'minutes')`,
  )) as { rows: { name: string; at: string }[] }
  const at = new Map(rows.map((row) => [row.name, new Date(row.at).getTime()]))
  return { rolled: at.get('rolled') ?? 0, minutes: at.get('minutes') ?? 0 }
}

function within(column: string, [from, to]: Range): SQL {
  const name = sql.raw(column)
  return sql`${name} >= ${new Date(from).toISOString()}::timestamptz AND ${name} < ${new Date(to).toISOString()}::timestamptz`
}

function notEmpty(ranges: readonly Range[]): Range[] {
  return ranges.filter(([from, to]) => from < to)
}

function floor(ms: number, unitMs: number): number {
  return Math.floor(ms / unitMs) * unitMs
}

function ceil(ms: number, unitMs: number): number {
  return Math.ceil(ms / unitMs) * unitMs
}
