import { type SQL, sql } from 'drizzle-orm'
import { DEAD_AFTER_MS } from '../../core/judging/verdict.ts'
import type { Database } from '../../storage/storage.ts'
import type { Rule } from '../rules.ts'
import { type Finding, findingsOf } from './findings.ts'
import { HOST, WATCHED } from './standing.ts'

/** Rules over minutes look once a minute; this much earlier is not too early, in milliseconds. */
const MINUTE_MS = 60_000
const EARLY_MS = 1_000
const HOUR_MS = 3_600_000
const DEFAULT_WINDOW_MS = HOUR_MS
const DEFAULT_ERROR_WINDOW_MS = DEAD_AFTER_MS
/** Attempts, or comparisons, that a rate needs. */
const DEFAULT_SAMPLES = 10
/** A band is learnt from the same hour of the week in as many weeks … */
const WEEKS = 8
/** … of which so many must have been recorded … */
const MIN_WEEKS = 3
/** … and reaches as many standard deviations to both sides, */
const BAND_DEVIATIONS = 3
/** but at least this share of 1 (change rate) or of the mean (size). */
const BAND_RATE = 0.1
const BAND_SIZE = 0.25

/** Whether a rule looks now. What a clock that jumped back left in the future doesn't hold it up. */
export function isDue({ kind, isEnabled, lookedAt }: Rule, now: number): boolean {
  if (!isEnabled) return false
  if (kind === 'changed' || kind === 'condition' || lookedAt === null) return true
  const elapsed = now - lookedAt.getTime()
  return elapsed < 0 || elapsed >= MINUTE_MS - EARLY_MS
}

/** What a rule says of its streams, where that is news. */
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

/** The streams that a rule is about, as the rows of a subquery. */
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

/** What a band is of: its value over rows of sums, what counts as a sample, and how it is said. */
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
  said: (value) => sql`round((${value} * 100)::numeric, 1) || ' %'`,
}
const SIZE: Measure = {
  value: sql`CASE WHEN sum(polls) > 0 THEN sum(plain_bytes) / sum(polls)::float8
    ELSE sum(body_bytes) / nullif(sum(events), 0)::float8 END`,
  samples: sql`sum(polls + events)`,
  leastWidth: (mean) => sql`${BAND_SIZE}::float8 * ${mean}`,
  said: (value) => sql`round((${value})::numeric) || ' bytes'`,
}

/** Outside what was set, or else of what is usual at this hour of the week. */
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
      ${said(sql`value`)} || ${isSet ? ', outside of what is set.' : ', unusual at this hour of the week.'} AS detail
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
