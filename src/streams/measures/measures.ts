import { and, eq, gte, lt, type SQL, sql } from 'drizzle-orm'
import { fanouts, pathRollups, streams } from '../../../drizzle/schema.ts'
import { type Connected, type PollSums, STEPS_MS, type Step } from '../../core/measures.ts'
import { Problem } from '../../errors.ts'
import type { Database } from '../../storage/storage.ts'
import { IS_SHARED } from '../registry/visibility.ts'
import { CONNECTED_MS, fleetWithin, rollupsWithin } from './rollup-source.ts'
import { SUMS as SUM_COLUMNS } from './tally.ts'

/** Most steps one answer holds: a day in minutes. */
const MAX_STEPS = 1_440
const MINUTE_MS = 60_000

/** What is measured: one stream, those that have a tag, or all. */
export type Scope = { streamId: string } | { tag: string } | 'fleet'

/** From one instant to another, by whole minutes: those that they lie in count, `to` on the minute's stroke aside. */
export interface Window {
  from: Date
  to: Date
}

export interface Span extends Window {
  step: Step
}

/** Sums over one step; only steps in which anything was recorded. */
export type StepOf<S> = S & { at: Date }

/** How a subscriber of each polled stream would have been connected. */
export interface Connections extends Omit<Connected, 'connectedMs'> {
  /** Mean number of real subscribers a stream, while it was polled. */
  subscribers: number
}

/** Sums over polls, with how long a subscriber would have been connected. */
export type PolledSums = PollSums & Pick<Connected, 'connectedMs'>

/** What subscribers of proxied streams were sent. */
export interface FanoutSums {
  /** Subscriptions begun. */
  connections: number
  /** Time that subscribers were connected, added up, in milliseconds. */
  subscriberMs: number
  /** Of all frames, as sent: compressed where a subscriber asked for that. */
  wireBytes: number
  /** Snapshots that new or returning subscribers were sent. */
  snapshots: number
  /** Subscribers closed because they didn't read. */
  slow: number
}

export interface PathChanges {
  /** A JSON pointer; array indices stand as `*`. */
  path: string
  changes: number
  /** Of all changes of paths, 0 to 1. */
  share: number
}

const total = (expression: string | SQL) =>
  sql<number>`coalesce(sum(${typeof expression === 'string' ? sql.raw(`rollup.${expression}`) : expression}), 0)::float8`.mapWith(
    Number,
  )

const SUMS = {
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
}

/** Of streams that were removed, the fleet's rows stay with nothing in them. */
const HAS_ANY = sql.raw(`sum(${SUM_COLUMNS.map((name) => `rollup.${name}`).join(' + ')}) > 0`)
/** A poll has a head: minutes in which none was counted know nothing of what polling moves. */
const IS_POLLED = and(eq(streams.kind, 'poll'), sql`(rollup.polls = 0 OR rollup.head_bytes > 0)`)

function polledSums(scope: Scope) {
  return { ...SUMS, connectedMs: total(scope === 'fleet' ? 'connected_ms' : CONNECTED_MS) }
}

function isPolled(scope: Scope): SQL | undefined {
  return scope === 'fleet' ? sql`rollup.is_polled` : and(inScope(scope), IS_POLLED)
}

/** The sums of a window as `rollup`: one that says which ones they are of is still to be asked for. */
function within(db: Database, scope: Scope, { from, to }: Window, step?: Step): Promise<SQL> {
  if (scope === 'fleet') return fleetWithin(db, from, to, step)
  return rollupsWithin(db, from, to, step, tagOf(scope))
}

function tagOf(scope: Scope): string | undefined {
  return scope !== 'fleet' && 'tag' in scope ? scope.tag : undefined
}

/** @throws Problem `invalid_field` when the span has more than 1,440 steps. */
export function checkSteps({ from, to, step }: Span): void {
  const count = (to.getTime() - from.getTime()) / STEPS_MS[step]
  if (count <= MAX_STEPS) return
  const detail = `${Math.ceil(count)} steps are too many; ask for at most ${MAX_STEPS}, or a longer step.`
  throw new Problem('invalid_field', detail, 'step')
}

/** What was recorded. */
export async function sumsOf(db: Database, scope: Scope, window: Window): Promise<PollSums> {
  const [sums] = await db
    .select(SUMS)
    .from(await within(db, scope, window))
    .where(inScope(scope))
  return sums as PollSums
}

/** What was recorded of streams that are polled. */
export async function polledSumsOf(db: Database, scope: Scope, window: Window): Promise<PolledSums> {
  const [sums] = await db
    .select(polledSums(scope))
    .from(await within(db, scope, window))
    .where(isPolled(scope))
  return sums as PolledSums
}

/**
 * What was recorded, step by step.
 * @throws Problem `invalid_field` when the span has more than 1,440 steps.
 */
export async function stepsOf(db: Database, scope: Scope, span: Span): Promise<StepOf<PollSums>[]> {
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

/**
 * What was recorded of streams that are polled, step by step.
 * @throws Problem `invalid_field` when the span has more than 1,440 steps.
 */
export async function polledStepsOf(db: Database, scope: Scope, span: Span): Promise<StepOf<PolledSums>[]> {
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

/**
 * A subscriber would have been connected once, and again as often as real ones had to be sent a snapshot anew, by the
 * mean number of them. Fewer than one on average count as one, so that a glance isn't taken for what goes on all day.
 */
export async function connectionsOf(db: Database, scope: Scope, window: Window): Promise<Connections> {
  const windowMs = window.to.getTime() - startOf(window).getTime()
  const { rows } = (await db.execute(sql`
    WITH polled AS (
      SELECT rollup.stream_id AS id, sum(rollup.plain_bytes) / sum(rollup.polls) AS snapshot_bytes,
        sum(rollup.gzip_bytes) / sum(rollup.polls) AS snapshot_gzip_bytes,
        least(sum(${CONNECTED_MS}), ${windowMs}::float8) AS followed_ms
      FROM ${await rollupsWithin(db, window.from, window.to, undefined, tagOf(scope))}
      WHERE ${and(inScope(scope), IS_POLLED)}
      GROUP BY 1 HAVING sum(rollup.polls) > 0
    ), sent AS (
      SELECT ${fanouts.streamId} AS id, sum(${fanouts.snapshots}) AS snapshots,
        sum(${fanouts.subscriberMs}) AS subscriber_ms
      FROM ${fanouts} JOIN ${streams} ON ${streams.id} = ${fanouts.streamId}
      WHERE ${and(inScope(scope), duringMinutes(fanouts.minute, window))}
      GROUP BY 1
    ), connected AS (
      SELECT *, greatest(1, coalesce(snapshots / greatest(1, subscriber_ms / followed_ms), 1)) AS connections
      FROM polled LEFT JOIN sent USING (id)
    )
    SELECT coalesce(sum(connections), 0)::float8 AS connections,
      coalesce(sum(connections * snapshot_bytes), 0)::float8 AS "snapshotBytes",
      coalesce(sum(connections * snapshot_gzip_bytes), 0)::float8 AS "snapshotGzipBytes",
      coalesce(sum(subscriber_ms) / sum(followed_ms), 0)::float8 AS subscribers
    FROM connected`)) as { rows: Connections[] }
  return rows[0] as Connections
}

/** What real subscribers were sent. */
export async function fanoutSums(db: Database, scope: Scope, window: Window): Promise<FanoutSums> {
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

/** The paths that change most, at most `limit`; by whole hours, the ones that the window begins and ends in included. */
export async function topPaths(
  db: Database,
  scope: Scope,
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

/** When anything last changed, to the minute, or to the hour where minutes are gone; `undefined` when nothing ever did. */
export async function lastChange(db: Database, scope: Scope): Promise<Date | undefined> {
  if (scope === 'fleet') return lastChangeOfAll(db)
  const ids = sql`(SELECT ${streams.id} FROM ${streams} WHERE ${inScope(scope)})`
  // Minutes before the last of all hours, or that hours tell of already, can't be the last.
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

/** From the newest backwards, over the indexes of time: a look per stream took 2 s of 10,000 streams. */
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

/** Change by hour of the week in UTC, Monday first: up to 168 of them. */
export async function hourOfWeek(
  db: Database,
  scope: Scope,
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

function stepIn(span: Span): SQL<string> {
  checkSteps(span)
  return sql<string>`date_trunc(${sql.raw(`'${span.step}'`)}, rollup.at, 'UTC')`
}

function dated<Row extends { at: string }>(row: Row): Omit<Row, 'at'> & { at: Date } {
  return { ...row, at: new Date(row.at) }
}

function inScope(scope: Scope): SQL | undefined {
  if (scope === 'fleet') return undefined
  if ('tag' in scope) return and(sql`${streams.tags} @> ARRAY[${scope.tag}]::text[]`, IS_SHARED)
  return eq(streams.id, scope.streamId)
}

function duringMinutes(minute: typeof fanouts.minute, window: Window) {
  return and(gte(minute, startOf(window)), lt(minute, window.to))
}

function startOf({ from }: Window): Date {
  return new Date(Math.floor(from.getTime() / MINUTE_MS) * MINUTE_MS)
}
