import { type SQL, sql } from 'drizzle-orm'
import { DEAD_AFTER_MS } from '../../core/judging/status.ts'
import type { Database } from '../../storage/storage.ts'
import type { Rule } from '../rules.ts'
import { type Finding, findingsOf } from './findings.ts'
import { HOST, WATCHED } from './standing.ts'

/** Rules over minutes run once a minute; this much earlier is not too early, in milliseconds. */
const MINUTE_MS = 60_000
const EARLY_MS = 1_000
const HOUR_MS = 3_600_000
const DEFAULT_WINDOW_MS = HOUR_MS
const DEFAULT_ERROR_WINDOW_MS = DEAD_AFTER_MS
/** Fewest attempts or comparisons for a rate. */
const DEFAULT_SAMPLES = 10
/** A band is learned from the same hour of the week in this many weeks … */
const WEEKS = 8
/** … of which this many must have been recorded … */
const MIN_WEEKS = 3
/** … and extends this many standard deviations to both sides, */
const BAND_DEVIATIONS = 3
/** but at least this share of 1 (change rate) or of the mean (size). */
const BAND_RATE = 0.1
const BAND_SIZE = 0.25

/** Whether a rule is due. A time that lies in the future after a clock jumped back doesn't delay it. */
export function isDue({ kind, isEnabled, lookedAt }: Rule, now: number): boolean {
  if (!isEnabled) return false
  if (kind === 'changed' || kind === 'condition' || lookedAt === null) return true
  const elapsed = now - lookedAt.getTime()
  return elapsed < 0 || elapsed >= MINUTE_MS - EARLY_MS
}

/** A rule's findings about its streams, where they are new. */
export function ruleFindings(tx: Database, rule: Rule, now: number): Promise<Finding[]> {
  switch (rule.kind) {
    case 'errorRate':
      return findingsOf(tx, rule.id, rule.kind, errorRate(rule, rule.params, now))
    case 'unchanged':
      return findingsOf(tx, rule.id, rule.kind, unchanged(rule, rule.params, now))
    case 'changeRate':
      return findingsOf(tx, rule.id, rule.kind, outsideBand(rule, rule.params, CHANGE_RATE, now))
    case 'size':
      return findingsOf(tx, rule.id, rule.kind, outsideBand(rule, rule.params, SIZE, now))
    case 'condition':
      return findingsOf(tx, rule.id, rule.kind, condition(rule))
    case 'changed':
      return findingsOf(
        tx,
        rule.id,
        rule.kind,
        changed(rule),
        sql`looked.since > coalesce((alarm.memory->>'seenAt')::float8, 0)`,
      )
  }
}

/** The streams of a rule, as the rows of a subquery. */
export function inScope({ streamId, tag }: Pick<Rule, 'streamId' | 'tag'>): SQL {
  const which =
    streamId !== null
      ? sql`AND s.id = ${streamId}`
      : tag !== null
        ? sql`AND s.tags @> ARRAY[${tag}]::text[]`
        : sql``
  return sql`(
    SELECT s.id, s.name, ${HOST} AS host, s.kind, s.created_at, (st.evidence->>'lastEventAt')::float8 AS changed_at
    FROM weir.streams s JOIN weir.states st ON st.stream_id = s.id
    WHERE s.desired = 'running' AND ${WATCHED} ${which})`
}

function errorRate(
  rule: Rule,
  { above, windowMs = DEFAULT_ERROR_WINDOW_MS, minSamples = DEFAULT_SAMPLES }: Params<'errorRate'>,
  now: number,
): SQL {
  return sql`
    SELECT id, name, host, NULL AS cause, NULL::float8 AS since,
      CASE WHEN errors = 0 THEN 'good' WHEN attempts < ${minSamples}::int THEN 'unknown'
        WHEN errors::float8 / attempts > ${above}::float8 THEN 'bad' ELSE 'good' END AS look,
      errors || ' of ' || attempts || ' attempts failed.' AS detail
    FROM (SELECT id, name, host, coalesce(sum(errors), 0)::int AS errors,
        coalesce(sum(errors + polls + events), 0)::int AS attempts
      FROM ${inScope(rule)} AS scope LEFT JOIN weir.rollups r ON r.stream_id = scope.id AND ${during(windowMs, now)}
      GROUP BY id, name, host) AS counted`
}

function unchanged(rule: Rule, { forMs }: Params<'unchanged'>, now: number): SQL {
  return sql`
    SELECT id, name, host, NULL AS cause, last AS since,
      CASE WHEN last < ${now - forMs}::float8 THEN 'bad' ELSE 'good' END AS look,
      'Last change ' || to_char(to_timestamp(last / 1000) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') || ' UTC.' AS detail
    FROM (SELECT id, name, host,
        greatest(changed_at, extract(epoch FROM created_at) * 1000, ${rule.createdAt.getTime()}::float8)::float8 AS last
      FROM ${inScope(rule)} AS scope) AS known`
}

function condition(rule: Rule): SQL {
  return sql`
    SELECT id, name, host, NULL AS cause, NULL::float8 AS since, memory->>'found' AS detail,
      CASE (memory->>'isBad')::boolean WHEN true THEN 'bad' WHEN false THEN 'good' ELSE 'unknown' END AS look
    FROM ${inScope(rule)} AS scope LEFT JOIN weir.alarms ON stream_id = id AND rule = ${rule.id}`
}

function changed(rule: Rule): SQL {
  return sql`
    SELECT id, name, host, NULL AS cause, changed_at AS since, 'unknown' AS look, NULL AS detail
    FROM ${inScope(rule)} AS scope`
}

/** What a band measures: its value over rollup rows, its samples, and its text. */
interface Measure {
  value: SQL
  samples: SQL
  leastWidth: (mean: SQL) => SQL
  said: (value: SQL) => SQL
}

const CHANGE_RATE: Measure = {
  value: sql`sum(changed)::float8 / nullif(sum(compared), 0)`,
  samples: sql`sum(compared)`,
  leastWidth: () => sql`${BAND_RATE}::float8`,
  said: (value) => sql`round((${value} * 100)::numeric, 1) || '%'`,
}
const SIZE: Measure = {
  value: sql`CASE WHEN sum(polls) > 0 THEN sum(plain_bytes) / sum(polls)::float8
    ELSE sum(body_bytes) / nullif(sum(events), 0)::float8 END`,
  samples: sql`sum(polls + events)`,
  leastWidth: (mean) => sql`${BAND_SIZE}::float8 * ${mean}`,
  said: (value) => sql`round((${value})::numeric) || ' bytes'`,
}

/** Outside the configured range, or else outside the learned one for this hour of the week. */
function outsideBand(
  rule: Rule,
  { min, max, windowMs = DEFAULT_WINDOW_MS, minSamples = DEFAULT_SAMPLES }: Params<'changeRate'>,
  { value, samples, leastWidth, said }: Measure,
  now: number,
): SQL {
  const isSet = min !== undefined || max !== undefined
  const hours = Array.from({ length: WEEKS }, (_, week) => {
    const hour = Math.floor(now / HOUR_MS) * HOUR_MS - (week + 1) * 7 * 24 * HOUR_MS
    return new Date(hour).toISOString()
  })
  const learnt = sql`
    SELECT avg(value) - width AS low, avg(value) + width AS high
    FROM (SELECT value, greatest(${BAND_DEVIATIONS} * coalesce(stddev_samp(value) OVER (), 0),
          ${leastWidth(sql`avg(value) OVER ()`)}) AS width
        FROM (SELECT ${value} AS value FROM weir.long_rollups
          WHERE stream_id = measured.id AND step = 'hour'
            AND at IN (SELECT json_array_elements_text(${JSON.stringify(hours)}::json)::timestamptz)
          GROUP BY at HAVING ${samples} > 0) AS hours) AS widths
    GROUP BY width HAVING count(*) >= ${MIN_WEEKS}`
  const set = sql`SELECT coalesce(${min ?? null}::float8, '-Infinity') AS low,
    coalesce(${max ?? null}::float8, 'Infinity') AS high`
  return sql`
    SELECT id, name, host, NULL AS cause, NULL::float8 AS since,
      CASE WHEN samples < ${minSamples}::int OR value IS NULL OR low IS NULL THEN 'unknown'
        WHEN value < low OR value > high THEN 'bad' ELSE 'good' END AS look,
      ${said(sql`value`)} || ${isSet ? ', outside the configured range.' : ', unusual for this hour of the week.'} AS detail
    FROM (SELECT id, name, host, ${value} AS value, coalesce(${samples}, 0) AS samples
      FROM ${inScope(rule)} AS scope LEFT JOIN weir.rollups r ON r.stream_id = scope.id AND ${during(windowMs, now)}
      GROUP BY id, name, host) AS measured
    LEFT JOIN LATERAL (${isSet ? set : learnt}) AS band ON true`
}

type Params<K extends Rule['kind']> = Extract<Rule, { kind: K }>['params']

function during(windowMs: number, now: number): SQL {
  const [from, to] = [now - windowMs, now].map((at) => new Date(at).toISOString())
  return sql`r.minute > ${from}::timestamptz AND r.minute <= ${to}::timestamptz`
}
