import { type Static, Type } from '@sinclair/typebox'
import { type SQL, sql } from 'drizzle-orm'
import { DEGRADED_WINDOW_MS } from '../../core/judging/checks.ts'
import {
  DEFAULT_SAMPLES,
  during,
  inScope,
  minSamples,
  type RuleKind,
  type Scoped,
  share,
  strict,
  windowMs,
} from './kind.ts'

const DEFAULT_ERROR_WINDOW_MS = DEGRADED_WINDOW_MS

const schema = Type.Object(
  { above: share, windowMs: Type.Optional(windowMs), minSamples: Type.Optional(minSamples) },
  strict,
)

/** The share of failed attempts exceeds a limit. */
export const errorRate: RuleKind<Static<typeof schema>> = {
  schema,
  cause: { severity: 'warning', label: 'has a high error rate' },
  isExplained: true,
  isBlame: true,
  isEager: false,
  example: '{"above": 0.2, "windowMs": 600000}',
  evaluations: looks,
}

function looks(
  rule: Scoped,
  { above, windowMs = DEFAULT_ERROR_WINDOW_MS, minSamples = DEFAULT_SAMPLES }: Static<typeof schema>,
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
