import { and, inArray, isNull, notInArray, type SQL, sql } from 'drizzle-orm'
import { streams } from '../../../drizzle/schema.ts'
import {
  AVAILABILITY_WINDOW_NAMES,
  AVAILABILITY_WINDOWS,
  type Availability,
  type AvailabilityStep,
  type AvailabilityWindow,
} from '../../core/availability.ts'
import { STEPS_MS, type Step } from '../../core/measures.ts'
import { POLLED_KINDS, STREAM_KIND } from '../../core/sets/stream-kinds.ts'
import type { Database } from '../../storage/storage.ts'
import { timestamp } from '../../storage/timestamp.ts'
import type { Stream } from '../ingest/run.ts'
import { IS_SHARED } from '../registry/visibility.ts'
import type { Window } from './measures.ts'
import { rollupsWithin } from './rollup-source.ts'

/** What to measure: one stream; or each stream of many, those with a tag or all, apart from twins. */
export type AvailabilityScope =
  | { stream: Pick<Stream, 'id' | 'kind' | 'createdAt'> }
  | { tag: string }
  | 'fleet'

/**
 * The availability of one stream; of many, the mean over those of which anything is known: a stream that is polled more often
 * than the others doesn't speak for them.
 */
export async function availabilityOf(
  db: Database,
  scope: AvailabilityScope,
  window: Window,
): Promise<Availability> {
  const { rows } = (await db.execute(sql`
    WITH each AS (${await eachStream(db, scope, window)})
    SELECT avg(share)::float8 AS share, count(share)::int AS streams, ${TOTALS} FROM each`)) as {
    rows: Totals[]
  }
  return answerOf(scope, window, rows[0] as Totals)
}

/** The same for each window that is shown, up to an instant. */
export async function availabilityWindows(
  db: Database,
  scope: AvailabilityScope,
  now: number,
): Promise<Record<AvailabilityWindow, Availability>> {
  const to = new Date(now)
  const windows = AVAILABILITY_WINDOW_NAMES.map(async (name) => {
    const from = new Date(now - AVAILABILITY_WINDOWS[name])
    return [name, await availabilityOf(db, scope, { from, to })]
  })
  return Object.fromEntries(await Promise.all(windows))
}

/**
 * The same in segments of a length, which begin at multiples of it in UTC; those without data are left out. The caller
 * bounds their number.
 */
export async function availabilitySteps(
  db: Database,
  scope: AvailabilityScope,
  window: Window,
  segmentMs: number,
): Promise<AvailabilityStep[]> {
  const { rows } = (await db.execute(sql`
    WITH each AS (${await eachStream(db, scope, window, segmentMs)})
    SELECT segment, avg(share)::float8 AS share, count(share)::int AS streams, ${TOTALS}
    FROM each GROUP BY segment HAVING count(share) > 0 ORDER BY segment`)) as {
    rows: (Totals & { segment: number })[]
  }
  return rows.map(({ segment, ...totals }) => {
    const from = Math.max(segment * segmentMs, window.from.getTime())
    const to = Math.min((segment + 1) * segmentMs, window.to.getTime())
    const part = { from: new Date(from), to: new Date(to) }
    return { at: new Date(segment * segmentMs), ...answerOf(scope, part, totals) }
  })
}

/** The share of each of some streams, by ID; those of which nothing is known are left out. */
export async function sharesOfEach(
  db: Database,
  ids: readonly string[],
  window: Window,
): Promise<Map<string, number>> {
  const { rows } = (await db.execute(sql`
    WITH each AS (${await eachStream(db, { ids }, window)})
    SELECT id, share::float8 AS share FROM each WHERE share IS NOT NULL`)) as {
    rows: { id: string; share: number }[]
  }
  return new Map(rows.map(({ id, share }) => [id, share]))
}

/**
 * Writes the availability of these streams in a window into their states, for lists.
 * @returns how many changed
 */
export async function storeAvailability(
  db: Database,
  ids: readonly string[],
  window: Window,
): Promise<number> {
  const { rows } = (await db.execute(sql`
    WITH each AS (${await eachStream(db, { ids }, window)}),
    known AS (SELECT id, round(share::numeric, 6)::float8 AS share FROM each)
    UPDATE weir.states AS state SET availability = known.share
    FROM unnest(${uuids(ids)}) AS wanted(id) LEFT JOIN known USING (id)
    WHERE state.stream_id = wanted.id AND state.availability IS DISTINCT FROM known.share
    RETURNING state.stream_id`)) as { rows: unknown[] }
  return rows.length
}

interface Totals {
  share: number | null
  streams: number
  answered: number
  unanswered: number
  up_ms: number
  down_ms: number
  first_ms: number | null
}

const TOTALS = sql.raw(
  [
    ...['answered', 'unanswered', 'up_ms', 'down_ms'].map(
      (name) => `coalesce(sum(${name}), 0)::float8 AS ${name}`,
    ),
    'min(first_ms)::float8 AS first_ms',
  ].join(', '),
)
const ARE_POLLED = inArray(streams.kind, POLLED_KINDS)
const ARE_CONNECTED = notInArray(streams.kind, POLLED_KINDS)

function answerOf(scope: AvailabilityScope, { from, to }: Window, totals: Totals): Availability {
  const { share, streams, answered, unanswered, up_ms: upMs, down_ms: downMs } = totals
  const { first_ms: firstMs } = totals
  const observedFrom = firstMs === null ? null : new Date(Math.max(from.getTime(), firstMs))
  const isOne = typeof scope === 'object' && 'stream' in scope
  if (!isOne) {
    const known = { answered, unanswered, upMs, downMs, unknownMs: null, observedFrom }
    return { share, basis: 'mean', streams, ...known }
  }
  const { kind, createdAt } = scope.stream
  if (STREAM_KIND[kind].isPolled) {
    return {
      share,
      basis: 'checks',
      streams,
      answered,
      unanswered,
      upMs: null,
      downMs: null,
      unknownMs: null,
      observedFrom,
    }
  }
  const wholeMs = Math.max(0, to.getTime() - Math.max(from.getTime(), createdAt.getTime()))
  const unknownMs = Math.max(0, wholeMs - upMs - downMs)
  const known = { answered: null, unanswered: null, upMs, downMs, unknownMs, observedFrom }
  return { share, basis: 'time', streams, ...known }
}

type InnerScope = AvailabilityScope | { ids: readonly string[] }

/** A row per stream, and per segment if they have a length. */
async function eachStream(db: Database, scope: InnerScope, window: Window, segmentMs?: number): Promise<SQL> {
  const [checks, time] = [await checksOf(db, scope, window, segmentMs), timeOf(scope, window, segmentMs)]
  return sql`SELECT *, answered / nullif(answered + unanswered, 0) AS share FROM (${checks}) AS checks
    UNION ALL SELECT *, up_ms / nullif(up_ms + down_ms, 0) AS share FROM (${time}) AS timed`
}

/** Polled streams, by their scheduled checks. */
async function checksOf(
  db: Database,
  scope: InnerScope,
  { from, to }: Window,
  segmentMs?: number,
): Promise<SQL> {
  const segment =
    segmentMs === undefined ? sql`0` : sql`floor(extract(epoch FROM rollup.at) * 1000 / ${segmentMs}::float8)`
  const step = segmentMs === undefined ? undefined : stepWithin(segmentMs)
  return sql`SELECT rollup.stream_id AS id, ${segment}::float8 AS segment, sum(rollup.answered)::float8 AS answered,
      sum(rollup.unanswered)::float8 AS unanswered, 0::float8 AS up_ms, 0::float8 AS down_ms,
      extract(epoch FROM min(greatest(rollup.at, streams.created_at)))::float8 * 1000 AS first_ms
    FROM ${await rollupsWithin(db, from, to, step, narrowed(scope))}
    WHERE ${and(inScope(scope), ARE_POLLED)} AND rollup.answered + rollup.unanswered > 0
    GROUP BY 1, 2`
}

/** Connected streams, by time: finished spells, and the current one as of the last word about it. */
function timeOf(scope: InnerScope, { from, to }: Window, segmentMs?: number): SQL {
  const [start, end] = [timestamp(from.getTime()), timestamp(to.getTime())]
  const parts = sql`SELECT spell.stream_id AS id, spell.state,
      extract(epoch FROM greatest(spell.from_at, ${start})) * 1000 AS from_ms,
      extract(epoch FROM least(spell.to_at, ${end})) * 1000 AS to_ms
    FROM (
      SELECT stream_id, from_at, to_at, state, is_silenced FROM weir.spells WHERE to_at > ${start}
      UNION ALL SELECT stream_id, to_timestamp((evidence #>> '{spell,from}')::float8 / 1000),
        to_timestamp((evidence ->> 'writtenAt')::float8 / 1000), evidence #>> '{spell,state}',
        (evidence #>> '{spell,isSilenced}')::boolean
      FROM weir.states
    ) AS spell JOIN weir.streams ON streams.id = spell.stream_id
    WHERE ${and(inScope(scope), ARE_CONNECTED)} AND NOT spell.is_silenced
      AND spell.to_at > ${start} AND spell.from_at < ${end}`
  const whole = segmentMs ?? Number.MAX_SAFE_INTEGER
  return sql`SELECT id, segment::float8 AS segment, 0::float8 AS answered, 0::float8 AS unanswered,
      coalesce(sum(ms) FILTER (WHERE state = 'up'), 0)::float8 AS up_ms,
      coalesce(sum(ms) FILTER (WHERE state <> 'up'), 0)::float8 AS down_ms, min(from_ms)::float8 AS first_ms
    FROM (${parts}) AS part
    CROSS JOIN LATERAL generate_series(floor(from_ms / ${whole}::float8)::int8, floor((to_ms - 1) / ${whole}::float8)::int8) AS segment
    CROSS JOIN LATERAL (
      SELECT (least(to_ms, (segment + 1) * ${whole}::float8) - greatest(from_ms, segment * ${whole}::float8))::float8 AS ms
    ) AS within
    WHERE to_ms > from_ms GROUP BY 1, 2`
}

/** What the rows are read by; one stream needs nothing more than its ID. */
function narrowed(scope: InnerScope): string | readonly string[] | undefined {
  if (scope === 'fleet') return undefined
  if ('stream' in scope) return [scope.stream.id]
  return 'tag' in scope ? scope.tag : scope.ids
}

function inScope(scope: InnerScope): SQL | undefined {
  if (typeof scope === 'object' && 'stream' in scope) return sql`${streams.id} = ${scope.stream.id}::uuid`
  if (typeof scope === 'object' && 'ids' in scope) return sql`${streams.id} = ANY (${uuids(scope.ids)})`
  const isApi = and(IS_SHARED, isNull(streams.twinOf))
  return scope === 'fleet' ? isApi : and(isApi, sql`${streams.tags} @> ARRAY[${scope.tag}]::text[]`)
}

/** The longest step of rollups that fits into a segment. */
function stepWithin(segmentMs: number): Step {
  if (segmentMs % STEPS_MS.day === 0) return 'day'
  return segmentMs % STEPS_MS.hour === 0 ? 'hour' : 'minute'
}

function uuids(ids: readonly string[]): SQL {
  return sql`${`{${ids.join(',')}}`}::uuid[]`
}
