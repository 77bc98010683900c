import { Type } from '@sinclair/typebox'
import { type SQL, sql } from 'drizzle-orm'
import { parsePointer } from '../../core/documents/pointer.ts'
import { type Condition, compileCondition, OPERATORS } from '../../core/judging/condition.ts'
import { MAX_PATTERN_CHARS, PatternError } from '../../core/judging/pattern.ts'
import { inScope, invalid, type RuleKind, type Scoped, strict } from './kind.ts'

const MAX_VALUE_CHARS = 10_000

const schema = Type.Object(
  {
    pointer: Type.String({ maxLength: 1_024, description: 'JSON Pointer (RFC 6901)' }),
    op: Type.Union(OPERATORS.map((op) => Type.Literal(op))),
    value: Type.Optional(Type.Unknown()),
  },
  strict,
)

/** The document matches a condition. `src/incidents/evaluation/conditions.ts` tests it; this reads the results. */
export const condition: RuleKind<Condition> = {
  schema,
  cause: { severity: 'warning', label: 'matches a condition' },
  isExplained: false,
  isBlame: false,
  isEager: true,
  example: '{"pointer": "/status", "op": "notEquals", "value": "ok"}',
  check: checkCondition,
  evaluations: looks,
}

function looks(rule: Scoped): SQL {
  return sql`
    SELECT id, name, host, NULL AS cause, NULL::float8 AS since, memory->>'found' AS detail,
      CASE (memory->>'isBad')::boolean WHEN true THEN 'bad' WHEN false THEN 'good' ELSE 'unknown' END AS look
    FROM ${inScope(rule)} AS scope LEFT JOIN weir.alarms ON stream_id = id AND rule = ${rule.id}`
}

function checkCondition({ pointer, op, value }: Condition): void {
  if (parsePointer(pointer) === undefined) {
    throw invalid(
      `params.pointer: "${pointer.slice(0, 200)}" isn't a JSON Pointer such as /data/price.`,
      'params',
    )
  }
  const needsNone = op === 'exists' || op === 'absent'
  if (needsNone !== (value === undefined)) {
    throw invalid(
      `params.value: "${op}" ${needsNone ? "doesn't take a value" : 'requires a value'}.`,
      'params',
    )
  }
  if ((op === 'above' || op === 'below') && !Number.isFinite(value)) {
    throw invalid(`params.value: "${op}" requires a number.`, 'params')
  }
  if (op === 'matches') checkPattern(value)
  if (JSON.stringify(value ?? null).length > MAX_VALUE_CHARS) {
    throw invalid(`params.value: must be at most ${MAX_VALUE_CHARS} characters of JSON.`, 'params')
  }
}

function checkPattern(value: unknown): void {
  if (typeof value !== 'string' || value.length > MAX_PATTERN_CHARS) {
    throw invalid(
      `params.value: "matches" requires a pattern of at most ${MAX_PATTERN_CHARS} characters.`,
      'params',
    )
  }
  try {
    compileCondition({ pointer: '', op: 'matches', value })
  } catch (error) {
    if (!(error instanceof PatternError)) throw error
    throw invalid(`params.value: unsupported pattern. ${error.message}`, 'params')
  }
}
