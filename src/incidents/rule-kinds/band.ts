import { type Static, type TInteger, type TNumber, Type } from '@sinclair/typebox'
import { type SQL, sql } from 'drizzle-orm'
import { HOUR_MS } from '../../core/time.ts'
import {
  DEFAULT_SAMPLES,
  during,
  inScope,
  invalid,
  minSamples,
  type RuleKind,
  type Scoped,
  share,
  strict,
  windowMs,
} from './kind.ts'

const DEFAULT_WINDOW_MS = HOUR_MS
/** A band is learned from the same hour of the week in this many weeks … */
const WEEKS = 8
/** … of which this many must have been recorded … */
const MIN_WEEKS = 3
/** … and extends this many standard deviations to both sides, */
const BAND_DEVIATIONS = 3
/** but at least this share of 1 (change rate) or of the mean (size). */
const BAND_RATE = 0.1
const BAND_SIZE = 0.25

const bandOf = <Bound extends TNumber | TInteger>(bound: Bound) =>
  Type.Object(
    {
      min: Type.Optional(bound),
      max: Type.Optional(bound),
      windowMs: Type.Optional(windowMs),
      minSamples: Type.Optional(minSamples),
    },
    strict,
  )
const rateSchema = bandOf(share)
const sizeSchema = bandOf(Type.Integer({ minimum: 0, maximum: 1_000_000_000_000 }))
type BandParams = Static<typeof rateSchema>

/** The change rate leaves a range, set or learned. */
export const changeRate: RuleKind<BandParams> = {
  schema: rateSchema,
  cause: { severity: 'warning', label: 'has an unusual change rate' },
  isExplained: true,
  isBlame: false,
  isEager: false,
  example: '{"min": 0.01, "max": 0.5} or {} to learn',
  check: checkRange,
  evaluations: (rule, params, now) => outsideBand(rule, params, CHANGE_RATE, now),
}

/** The size leaves a range, set or learned. */
export const size: RuleKind<BandParams> = {
  schema: sizeSchema,
  cause: { severity: 'warning', label: 'has an unusual size' },
  isExplained: false,
  isBlame: false,
  isEager: false,
  example: '{"max": 100000} or {} to learn',
  check: checkRange,
  evaluations: (rule, params, now) => outsideBand(rule, params, SIZE, now),
}

function checkRange({ min = 0, max = Number.POSITIVE_INFINITY }: BandParams): void {
  if (min > max) throw invalid('`params.min` must not be greater than `params.max`.', 'params')
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
  rule: Scoped,
  { min, max, windowMs = DEFAULT_WINDOW_MS, minSamples = DEFAULT_SAMPLES }: BandParams,
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
