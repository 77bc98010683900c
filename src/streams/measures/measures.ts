import { and, eq, gte, inArray, lt, type SQL, sql } from 'drizzle-orm'
import { fanouts, pathRollups, streams } from '../../../drizzle/schema.ts'
import type { Comparisons } from '../../core/change/groups.ts'
import { type Connected, type PollSums, STEPS_MS, type Step } from '../../core/measures.ts'
import { POLLED_KINDS } from '../../core/sets/stream-kinds.ts'
import { MINUTE_MS } from '../../core/time.ts'
import { Problem } from '../../errors.ts'
import type { Database } from '../../storage/storage.ts'
import { IS_SHARED } from '../registry/visibility.ts'
import { SUMS as SUM_COLUMNS } from './rollup-delta.ts'
import { CONNECTED_MS, fleetWithin, rollupsWithin } from './rollup-source.ts'

/** Maximum steps in one answer: a day in minutes. */
const MAX_STEPS = 1_440

/** What to measure: one stream, some, those with a tag, or all. */
export type MeasureScope = { streamId: string } | { streamIds: readonly string[] } | { tag: string } | 'fleet'

/** A time span, by whole minutes: the minutes of both ends are included, except one that begins exactly at `to`. */
export interface Window {
  from: Date
  to: Date
}

export interface SteppedWindow extends Window {
  step: Step
}

/** Sums of one step; only steps in which something was recorded. */
export type StepOf<S> = S & { at: Date }

/** Sums of polls, and how long a subscriber would have been connected. */
export type PolledSums = PollSums & Pick<Connected, 'connectedMs'>

/** What subscribers of proxied streams were sent. */
export interface FanoutSums {
  /** Subscriptions started. */
  connections: number
  /** Total time that subscribers were connected, in milliseconds. */
  subscriberMs: number
  /** Size of all frames as sent: compressed for subscribers that asked for it. */
  wireBytes: number
  /** Snapshots sent to new or returning subscribers. */
  snapshots: number
  /** Subscribers closed because they didn't read. */
  slow: number
}

export interface PathChanges {
  /** A JSON pointer; array indices appear as `*`. */
  path: string
  changes: number
  /** Share of all changes of paths, 0 to 1. */
  share: number
}

const total = (expression: string | SQL) =>
  sql<number>`coalesce(sum(${typeof expression === 'string' ? sql.raw(`rollup.${expression}`) : expression}), 0)::float8`.mapWith(
    Number,
  )

/** The sums of a `rollup`, by the names of {@link PollSums}. */
export const SUMS = {
  entries: total('entries'),
  events: total('events'),
  polls: total('polls'),
  errors: total('errors'),
  compared: total('compared'),
  changed: total('changed'),
  notModified: total('not_modified'),
  wireBytes: total('wire_bytes'),
  bodyBytes: total('body_bytes'),
  headBytes: total('head_bytes'),
  plainBytes: total('plain_bytes'),
  gzipBytes: total('gzip_bytes'),
  conditionalBytes: total('conditional_bytes'),
  patchBytes: total('patch_bytes'),
  frameBytes: total('frame_bytes'),
  deflatedBytes: total('deflated_bytes'),
  failures: total('failures'),
  answered: total('answered'),
  unanswered: total('unanswered'),
  comparedMs: total('compared_ms'),
  changedMs: total('changed_ms'),
  requests: total('requests'),
  requestBytes: total('request_bytes'),
  failedHeadBytes: total('failed_head_bytes'),
  redirectBytes: total('redirect_bytes'),
  cacheHits: total('cache_hits'),
  fresh: total('fresh'),
  freshChanged: total('fresh_changed'),
  heldMs: total('held_ms'),
}

/** The fleet's rollups keep empty rows of removed streams. */
const HAS_ANY = sql.raw(`sum(${SUM_COLUMNS.map((name) => `rollup.${name}`).join(' + ')}) > 0`)
/** A poll has a head: minutes that counted none don't know what polling transfers. */
export const IS_POLLED = and(
  inArray(streams.kind, POLLED_KINDS),
  sql`(rollup.polls = 0 OR rollup.head_bytes > 0)`,
)

function polledSums(scope: MeasureScope) {
  return { ...SUMS, connectedMs: total(scope === 'fleet' ? 'connected_ms' : CONNECTED_MS) }
}

function isPolled(scope: MeasureScope): SQL | undefined {
  return scope === 'fleet' ? sql`rollup.is_polled` : and(inScope(scope), IS_POLLED)
}

/** The sums of a window as `rollup`; the caller adds which streams they are of. */
function within(db: Database, scope: MeasureScope, { from, to }: Window, step?: Step): Promise<SQL> {
  if (scope === 'fleet') return fleetWithin(db, from, to, step)
  return rollupsWithin(db, from, to, step, tagOf(scope))
}

export function tagOf(scope: MeasureScope): string | undefined {
  return scope !== 'fleet' && 'tag' in scope ? scope.tag : undefined
}

/** @throws Problem `invalid_field` if the span has more than 1,440 steps. */
export function checkSteps({ from, to, step }: SteppedWindow): void {
  const count = (to.getTime() - from.getTime()) / STEPS_MS[step]
  if (count <= MAX_STEPS) return
  const detail = `${Math.ceil(count)} steps exceed the limit of ${MAX_STEPS}. Request a shorter range or a longer step.`
  throw new Problem('invalid_field', detail, 'step')
}

/** Sums of everything that was recorded. */
export async function sumsOf(db: Database, scope: MeasureScope, window: Window): Promise<PollSums> {
  const [sums] = await db
    .select(SUMS)
    .from(await within(db, scope, window))
    .where(inScope(scope))
  return sums as PollSums
}

/** The same of each of some streams, by ID; those of which nothing was recorded are left out. */
export async function sumsOfEach(
  db: Database,
  ids: readonly string[],
  { from, to }: Window,
): Promise<Map<string, PollSums>> {
  const id = sql<string>`rollup.stream_id`
  const rows = await db
    .select({ id, sums: SUMS })
    .from(await rollupsWithin(db, from, to, undefined, ids))
    .groupBy(id)
  return new Map(rows.map((row) => [row.id, row.sums]))
}

/** Sums of what was recorded for polled streams. */
export async function polledSumsOf(db: Database, scope: MeasureScope, window: Window): Promise<PolledSums> {
  const [sums] = await db
    .select(polledSums(scope))
    .from(await within(db, scope, window))
    .where(isPolled(scope))
  return sums as PolledSums
}

/**
 * Sums of everything that was recorded, by step.
 * @throws Problem `invalid_field` if the span has more than 1,440 steps.
 */
export async function stepsOf(
  db: Database,
  scope: MeasureScope,
  span: SteppedWindow,
): Promise<StepOf<PollSums>[]> {
  const at = stepIn(span)
  const rows = await db
    .select({ at, ...SUMS })
    .from(await within(db, scope, span, span.step))
    .where(inScope(scope))
    .groupBy(at)
    .having(HAS_ANY)
    .orderBy(at)
  return rows.map(dated)
}

/** Comparisons of the streams, by step. */
export async function comparedStepsOf(
  db: Database,
  scope: MeasureScope,
  span: SteppedWindow,
): Promise<StepOf<Comparisons>[]> {
  const at = stepIn(span)
  const { compared, changed, comparedMs, changedMs } = SUMS
  const rows = await db
    .select({ at, compared, changed, comparedMs, changedMs })
    .from(await within(db, scope, span, span.step))
    .where(inScope(scope))
    .groupBy(at)
    .orderBy(at)
  return rows.map(dated)
}

/**
 * Sums of what was recorded for polled streams, by step.
 * @throws Problem `invalid_field` if the span has more than 1,440 steps.
 */
export async function polledStepsOf(
  db: Database,
  scope: MeasureScope,
  span: SteppedWindow,
): Promise<StepOf<PolledSums>[]> {
  const at = stepIn(span)
  const rows = await db
    .select({ at, ...polledSums(scope) })
    .from(await within(db, scope, span, span.step))
    .where(isPolled(scope))
    .groupBy(at)
    .having(HAS_ANY)
    .orderBy(at)
  return rows.map(dated)
}

/** What actual subscribers were sent. */
export async function fanoutSums(db: Database, scope: MeasureScope, window: Window): Promise<FanoutSums> {
  const sum = (column: (typeof fanouts)[keyof FanoutSums]) =>
    sql<number>`coalesce(sum(${column}), 0)::float8`.mapWith(Number)
  const [sums] = await db
    .select({
      connections: sum(fanouts.connections),
      subscriberMs: sum(fanouts.subscriberMs),
      wireBytes: sum(fanouts.wireBytes),
      snapshots: sum(fanouts.snapshots),
      slow: sum(fanouts.slow),
    })
    .from(fanouts)
    .innerJoin(streams, eq(streams.id, fanouts.streamId))
    .where(and(inScope(scope), duringMinutes(fanouts.minute, window)))
  return sums as FanoutSums
}

/** The paths that change most, at most `limit`, by whole hours, including those in which the window begins and ends. */
export async function topPaths(
  db: Database,
  scope: MeasureScope,
  { from, to }: Window,
  limit: number,
): Promise<PathChanges[]> {
  const changes = sql`sum(${pathRollups.changes})`
  const firstHour = new Date(Math.floor(from.getTime() / STEPS_MS.hour) * STEPS_MS.hour)
  return db
    .select({
      path: pathRollups.path,
      changes: sql<number>`${changes}::float8`.mapWith(Number),
      share: sql<number>`(${changes} / nullif(sum(${changes}) OVER (), 0))::float8`.mapWith(Number),
    })
    .from(pathRollups)
    .innerJoin(streams, eq(streams.id, pathRollups.streamId))
    .where(
      and(
        scope === 'fleet' ? IS_SHARED : inScope(scope),
        gte(pathRollups.hour, firstHour),
        lt(pathRollups.hour, to),
      ),
    )
    .groupBy(pathRollups.path)
    .orderBy(sql`${changes} DESC`, pathRollups.path)
    .limit(limit)
}

/**
 * When anything last changed, to the minute, or to the hour once minutes are dropped; `undefined` if nothing ever
 * did.
 */
export async function lastChange(db: Database, scope: MeasureScope): Promise<Date | undefined> {
  if (scope === 'fleet') return lastChangeOfAll(db)
  const ids = sql`(SELECT ${streams.id} FROM ${streams} WHERE ${inScope(scope)})`
  // Minutes before the newest hour, or covered by hours, can't be the last.
  const { rows } = (await db.execute(sql`
    WITH hours AS (
      SELECT max(last.at) AS last FROM ${ids} AS of_scope(id) CROSS JOIN LATERAL (
        SELECT at FROM weir.long_rollups WHERE stream_id = of_scope.id AND step = 'hour' AND changed > 0
        ORDER BY at DESC LIMIT 1
      ) AS last
    )
    SELECT greatest((SELECT last FROM hours), (
      SELECT max(minute) FROM (
        SELECT minute FROM weir.rollups WHERE stream_id = ANY (ARRAY${ids}) AND changed > 0
          AND minute >= coalesce((SELECT last FROM hours), (SELECT at FROM weir.marks WHERE name = 'rolled'), '-infinity')
        -- Kept apart, as by the time alone it would look through all streams.
        OFFSET 0
      ) AS changed
    )) AS last`)) as { rows: { last: string | null }[] }
  return instantOf(rows[0]?.last)
}

/** Newest first, using the indexes on time: a query per stream took 2 s for 10,000 streams. */
async function lastChangeOfAll(db: Database): Promise<Date | undefined> {
  const { rows } = (await db.execute(sql`
    SELECT greatest(
      (SELECT minute FROM weir.rollups WHERE changed > 0 ORDER BY minute DESC LIMIT 1),
      (SELECT at FROM weir.long_rollups WHERE step = 'hour' AND changed > 0 ORDER BY at DESC LIMIT 1)
    ) AS last`)) as { rows: { last: string | null }[] }
  return instantOf(rows[0]?.last)
}

function instantOf(text: string | null | undefined): Date | undefined {
  return text == null ? undefined : new Date(text)
}

/** Changes by hour of the week in UTC, from Monday: up to 168 rows. */
export async function hourOfWeek(
  db: Database,
  scope: MeasureScope,
  window: Window,
): Promise<{ hour: number; compared: number; changed: number }[]> {
  const hour = sql`((extract(isodow FROM rollup.at AT TIME ZONE 'UTC') - 1) * 24
    + extract(hour FROM rollup.at AT TIME ZONE 'UTC'))::int`
  return db
    .select({ hour: sql<number>`${hour}`.mapWith(Number), compared: SUMS.compared, changed: SUMS.changed })
    .from(await within(db, scope, window, 'hour'))
    .where(inScope(scope))
    .groupBy(hour)
    .having(HAS_ANY)
    .orderBy(hour)
}

function stepIn(span: SteppedWindow): SQL<string> {
  checkSteps(span)
  return sql<string>`date_trunc(${sql.raw(`'${span.step}'`)}, rollup.at, 'UTC')`
}

function dated<Row extends { at: string }>(row: Row): Omit<Row, 'at'> & { at: Date } {
  return { ...row, at: new Date(row.at) }
}

export function inScope(scope: MeasureScope): SQL | undefined {
  if (scope === 'fleet') return undefined
  if ('tag' in scope) return and(sql`${streams.tags} @> ARRAY[${scope.tag}]::text[]`, IS_SHARED)
  if ('streamIds' in scope) return inArray(streams.id, [...scope.streamIds])
  return eq(streams.id, scope.streamId)
}

function duringMinutes(minute: typeof fanouts.minute, window: Window) {
  return and(gte(minute, startOf(window)), lt(minute, window.to))
}

function startOf({ from }: Window): Date {
  return new Date(Math.floor(from.getTime() / MINUTE_MS) * MINUTE_MS)
}
