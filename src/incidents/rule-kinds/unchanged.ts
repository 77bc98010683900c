import { type Static, Type } from '@sinclair/typebox'
import { type SQL, sql } from 'drizzle-orm'
import { inScope, type RuleKind, type Scoped, strict } from './kind.ts'

const schema = Type.Object({ forMs: Type.Integer({ minimum: 60_000, maximum: 31_536_000_000 }) }, strict)

/** No change for a given time. */
export const unchanged: RuleKind<Static<typeof schema>> = {
  schema,
  cause: { severity: 'warning', label: 'stopped changing' },
  isExplained: true,
  isBlame: false,
  isEager: false,
  example: '{"forMs": 3600000}',
  evaluations: looks,
}

function looks(rule: Scoped, { forMs }: Static<typeof schema>, now: number): SQL {
  return sql`
    SELECT id, name, host, NULL AS cause, last AS since,
      CASE WHEN last < ${now - forMs}::float8 THEN 'bad' ELSE 'good' END AS look,
      'Last change ' || to_char(to_timestamp(last / 1000) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') || ' UTC.' AS detail
    FROM (SELECT id, name, host,
        greatest(changed_at, extract(epoch FROM created_at) * 1000, ${rule.createdAt.getTime()}::float8)::float8 AS last
      FROM ${inScope(rule)} AS scope) AS known`
}
