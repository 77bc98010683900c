import { type Static, Type } from '@sinclair/typebox'
import { type SQL, sql } from 'drizzle-orm'
import { inScope, type RuleKind, type Scoped, strict } from './kind.ts'

const schema = Type.Object(
  {
    everyMs: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 604_800_000,
        description: 'Shortest time between two notifications about a stream, in milliseconds',
      }),
    ),
  },
  strict,
)

/** A change: each one sends a notification; there is no problem that begins and ends. */
export const changed: RuleKind<Static<typeof schema>> = {
  schema,
  cause: { severity: 'info', label: 'changed' },
  isExplained: false,
  isBlame: false,
  isEager: true,
  example: '{"everyMs": 300000}',
  evaluations: looks,
  also: sql`looked.since > coalesce((alarm.memory->>'seenAt')::float8, 0)`,
}

function looks(rule: Scoped): SQL {
  return sql`
    SELECT id, name, host, NULL AS cause, changed_at AS since, 'unknown' AS look, NULL AS detail
    FROM ${inScope(rule)} AS scope`
}
