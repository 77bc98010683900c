import { type TSchema, Type } from '@sinclair/typebox'
import { type SQL, sql } from 'drizzle-orm'
import type { Severity } from '../../channels/message.ts'
import { DAY_MS } from '../../core/time.ts'
import { Problem } from '../../errors.ts'
import { HOST, WATCHED } from '../evaluation/standing.ts'

/** The part of a rule that its query needs. */
export interface Scoped {
  id: string
  streamId: string | null
  tag: string | null
  createdAt: Date
}

/** A kind of rule. */
export interface RuleKind<Params> {
  schema: TSchema
  /** What its incidents are about; `streamTitle` appends the label to the stream's name. */
  cause: { severity: Severity; label: string }
  /** Whether an unreachable host or a broken outbound network explains its incidents. */
  isExplained: boolean
  /** Whether its incidents need evidence that Weir's own outbound network works. */
  isBlame: boolean
  /** Whether it is evaluated every time, instead of once a minute. */
  isEager: boolean
  /** Parameters as JSON, for the form. */
  example: string
  /** Checks what the schema can't express. @throws Problem `invalid_field` */
  check?(params: Params): void
  /** The rows of a query of `id`, `name`, `host`, `cause`, `since`, `look` and `detail`. */
  evaluations(rule: Scoped, params: Params, now: number): SQL
  /** Selects findings to report in addition to those that change an alarm. */
  also?: SQL
}

/** Longest window for a rate, in milliseconds: minute rollups are kept at least that long. */
const MAX_WINDOW_MS = DAY_MS
/** Default minimum number of attempts or comparisons for a rate. */
export const DEFAULT_SAMPLES = 10

export const windowMs = Type.Integer({
  minimum: 60_000,
  maximum: MAX_WINDOW_MS,
  description: 'Length of the window, in milliseconds; counted in whole minutes',
})
export const minSamples = Type.Integer({
  minimum: 1,
  maximum: 1_000_000,
  description: "Minimum number of samples; with fewer, the rule isn't evaluated",
})
export const share = Type.Number({ minimum: 0, maximum: 1 })
export const strict = { additionalProperties: false }

/** The streams of a rule, as the rows of a subquery. */
export function inScope({ streamId, tag }: Pick<Scoped, 'streamId' | 'tag'>): SQL {
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

/** Rollups of a window, by whole minutes. */
export function during(windowMs: number, now: number): SQL {
  const [from, to] = [now - windowMs, now].map((at) => new Date(at).toISOString())
  return sql`r.minute > ${from}::timestamptz AND r.minute <= ${to}::timestamptz`
}

export function invalid(detail: string, field: string | undefined): Problem {
  return new Problem('invalid_field', detail, field?.slice(0, 64))
}
