import { type SQL, sql } from 'drizzle-orm'
import type { Step } from '../../core/measures.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../core/time.ts'
import type { Database } from '../../storage/storage.ts'
import { isSharedAs } from '../registry/visibility.ts'
import { SUMS } from './rollup-delta.ts'

/** A time range in milliseconds; the end is exclusive. */
export type TimeRange = readonly [from: number, to: number]

/** The rollups that cover a window, without overlap. */
export interface Parts {
  minutes: TimeRange[]
  hours: TimeRange[]
  days: TimeRange[]
}

/** How far rollups reach, in milliseconds. */
export interface Horizons {
  /** Hours and days before this are rolled up. */
  rolled: number
  /** Minutes before this are dropped. */
  minutes: number
}

/** By step, the rows of a range; `of` narrows them. */
type Steps = Record<Step, (range: TimeRange, of: SQL) => SQL>

const STREAM_COLUMNS = sql.raw(['stream_id', 'first_seq', 'last_seq', ...SUMS].join(', '))
const FLEET_COLUMNS = sql.raw(['is_polled', ...SUMS].join(', '))

/** Rollups per stream, by step. */
const OF_STREAMS = steps(
  (step, range, of) => sql`SELECT at, connected_ms, ${STREAM_COLUMNS} FROM weir.long_rollups
    WHERE step = ${step} AND ${within('at', range)}${of}`,
  (range, of) => sql`SELECT minute AS at, NULL::bigint AS connected_ms, ${STREAM_COLUMNS} FROM weir.rollups
    WHERE ${within('minute', range)}${of}`,
)
/** Rollups of all streams combined. */
const OF_FLEET = steps(
  (step, range) => sql`SELECT at, connected_ms, ${FLEET_COLUMNS} FROM weir.fleet_rollups
    WHERE step = ${step} AND ${within('at', range)}`,
)

/**
 * How long a row kept a subscriber connected, for `rollup` joined with its stream: the time that the stream was followed.
 * Rows of older versions don't have it: there, an interval per poll, but no longer than that minute or one interval, because
 * the interval may have been shorter; and as long if polls failed, because failures delay the next polls. Hours and days have
 * the sum.
 */
export const CONNECTED_MS = sql.raw(`coalesce(rollup.connected_ms,
  CASE WHEN rollup.held_ms > 0 THEN rollup.held_ms
  WHEN rollup.errors > 0 THEN greatest(streams.interval_ms, ${MINUTE_MS})
  ELSE least(rollup.polls * streams.interval_ms, greatest(streams.interval_ms, ${MINUTE_MS})) END)`)

/**
 * The sums of a window as `rollup`, joined with `streams`: days and hours where they are equivalent, minutes at the
 * edges and where no hour is rolled up yet.
 * @param step the shortest time that must be distinguished; omitted for one total
 * @param of the streams' tag, or their IDs: their rows are read through the index on streams, not all rows of the window
 */
export async function rollupsWithin(
  db: Database,
  from: Date,
  to: Date,
  step?: Step,
  of?: string | readonly string[],
): Promise<SQL> {
  const parts = partsOf(from.getTime(), to.getTime(), await readHorizons(db), step)
  const rows = rowsOf(OF_STREAMS, parts, of === undefined ? sql`` : sql` AND ${isOf(of)}`)
  return sql`(${rows}) AS rollup JOIN weir.streams ON streams.id = rollup.stream_id`
}

/** The same for all streams combined, with `connected_ms`, and with `is_polled` instead of `streams`. */
export async function fleetWithin(db: Database, from: Date, to: Date, step?: Step): Promise<SQL> {
  const rows = rowsOf(OF_FLEET, partsOf(from.getTime(), to.getTime(), await readHorizons(db), step))
  return sql`(${rows}) AS rollup`
}

/** Once minutes are dropped, the hours in which the window begins and ends count in full. */
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

function steps(rows: (step: SQL, range: TimeRange, of: SQL) => SQL, ofMinutes?: Steps['minute']): Steps {
  const named = (step: Step) => (range: TimeRange, of: SQL) => rows(sql.raw(`'${step}'`), range, of)
  return { minute: ofMinutes ?? named('minute'), hour: named('hour'), day: named('day') }
}

function rowsOf(steps: Steps, { minutes, hours, days }: Parts, of: SQL = sql``): SQL {
  const rows = (step: Step, ranges: readonly TimeRange[]) => ranges.map((range) => steps[step](range, of))
  return sql.join(
    [...rows('minute', minutes), ...rows('hour', hours), ...rows('day', days)],
    sql` UNION ALL `,
  )
}

function isOf(of: string | readonly string[]): SQL {
  return typeof of === 'string' ? isTagged(of) : sql`stream_id = ANY (${`{${of.join(',')}}`}::uuid[])`
}

function isTagged(tag: string): SQL {
  return sql`stream_id = ANY (ARRAY(SELECT id FROM weir.streams WHERE tags @> ARRAY[${tag}]::text[] AND ${isSharedAs('streams')}))`
}

async function readHorizons(db: Database): Promise<Horizons> {
  const { rows } = (await db.execute(
    sql`SELECT name, at FROM weir.marks WHERE name IN ('rolled', 'minutes')`,
  )) as { rows: { name: string; at: string }[] }
  const at = new Map(rows.map((row) => [row.name, new Date(row.at).getTime()]))
  return { rolled: at.get('rolled') ?? 0, minutes: at.get('minutes') ?? 0 }
}

function within(column: string, [from, to]: TimeRange): SQL {
  const name = sql.raw(column)
  return sql`${name} >= ${new Date(from).toISOString()}::timestamptz AND ${name} < ${new Date(to).toISOString()}::timestamptz`
}

function notEmpty(ranges: readonly TimeRange[]): TimeRange[] {
  return ranges.filter(([from, to]) => from < to)
}

function floor(ms: number, unitMs: number): number {
  return Math.floor(ms / unitMs) * unitMs
}

function ceil(ms: number, unitMs: number): number {
  return Math.ceil(ms / unitMs) * unitMs
}
