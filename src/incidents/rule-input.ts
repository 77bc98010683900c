import { type Static, type TSchema, Type } from '@sinclair/typebox'
import { parsePointer } from '../core/documents/pointer.ts'
import { type Condition, compileCondition, OPERATORS } from '../core/judging/condition.ts'
import { MAX_PATTERN_CHARS, PatternError } from '../core/judging/pattern.ts'
import { Problem } from '../errors.ts'
import { checked } from '../schema.ts'

/** Longest window for a rate, in milliseconds: minute rollups are kept at least that long. */
const MAX_WINDOW_MS = 86_400_000
const MAX_VALUE_CHARS = 10_000

const windowMs = Type.Integer({
  minimum: 60_000,
  maximum: MAX_WINDOW_MS,
  description: 'Window in milliseconds, by whole minutes',
})
const share = Type.Number({ minimum: 0, maximum: 1 })
const size = Type.Integer({ minimum: 0, maximum: 1_000_000_000_000 })
const minSamples = Type.Integer({
  minimum: 1,
  maximum: 1_000_000,
  description: "With fewer samples, the rule doesn't fire",
})
const strict = { additionalProperties: false }

/** The parameters of each kind of rule. */
const PARAMS = {
  errorRate: Type.Object(
    { above: share, windowMs: Type.Optional(windowMs), minSamples: Type.Optional(minSamples) },
    strict,
  ),
  changed: Type.Object(
    {
      everyMs: Type.Optional(
        Type.Integer({
          minimum: 0,
          maximum: 604_800_000,
          description: 'Minimum time between notifications for a stream, in milliseconds',
        }),
      ),
    },
    strict,
  ),
  unchanged: Type.Object({ forMs: Type.Integer({ minimum: 60_000, maximum: 31_536_000_000 }) }, strict),
  changeRate: Type.Object(
    {
      min: Type.Optional(share),
      max: Type.Optional(share),
      windowMs: Type.Optional(windowMs),
      minSamples: Type.Optional(minSamples),
    },
    strict,
  ),
  size: Type.Object(
    {
      min: Type.Optional(size),
      max: Type.Optional(size),
      windowMs: Type.Optional(windowMs),
      minSamples: Type.Optional(minSamples),
    },
    strict,
  ),
  condition: Type.Object(
    {
      pointer: Type.String({ maxLength: 1_024, description: 'JSON Pointer (RFC 6901)' }),
      op: Type.Union(OPERATORS.map((op) => Type.Literal(op))),
      value: Type.Optional(Type.Unknown()),
    },
    strict,
  ),
} satisfies Record<string, TSchema>

export type RuleKind = keyof typeof PARAMS
export const RULE_KINDS = Object.keys(PARAMS) as RuleKind[]
type ParamsOf<K extends RuleKind> = K extends 'condition' ? Condition : Static<(typeof PARAMS)[K]>
/** A kind with its own parameters. */
export type RuleParams = { [K in RuleKind]: { kind: K; params: ParamsOf<K> } }[RuleKind]

const threshold = Type.Integer({ minimum: 1, maximum: 1_000 })
const common = {
  name: Type.String({ minLength: 1, maxLength: 200 }),
  kind: Type.Union(RULE_KINDS.map((kind) => Type.Literal(kind))),
  streamId: Type.Optional(
    Type.Union([Type.String(), Type.Null()], { description: 'Applies to this stream only' }),
  ),
  tag: Type.Optional(
    Type.Union([Type.String({ minLength: 1, maxLength: 64 }), Type.Null()], {
      description: 'Applies to streams with this tag',
    }),
  ),
  failureThreshold: Type.Optional(threshold),
  successThreshold: Type.Optional(threshold),
  isEnabled: Type.Optional(Type.Boolean()),
}

/** The body of `POST /api/rules`. */
export const RuleSchema = Type.Object({ ...common, params: Type.Object({}) }, strict)
type Given = Omit<Static<typeof RuleSchema>, 'kind' | 'params'>
export type RuleInput = Given & RuleParams
/** The body of `PATCH /api/rules/:id`: any part of a rule. */
export const RuleChangeSchema = Type.Partial(RuleSchema, strict)
export type RuleChange = Static<typeof RuleChangeSchema>

/** Checks a whole rule. @throws Problem `invalid_field`, naming the field */
export function checkRule(value: unknown): RuleInput {
  checked(RuleSchema, value)
  const input = value as RuleInput
  checked(PARAMS[input.kind], input.params, { within: 'params' })
  if (input.streamId && input.tag) throw invalid('Give either `streamId` or `tag`, not both.', 'tag')
  if (input.kind === 'condition') checkCondition(input.params)
  if (input.kind === 'changeRate' || input.kind === 'size') {
    const { min = 0, max = Number.POSITIVE_INFINITY } = input.params
    if (min > max) throw invalid('`params.min` must not be greater than `params.max`.', 'params')
  }
  return input
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

function invalid(detail: string, field: string | undefined): Problem {
  return new Problem('invalid_field', detail, field?.slice(0, 64))
}
