import { type Static, type TSchema, Type } from '@sinclair/typebox'
import { Errors } from '@sinclair/typebox/errors'
import { parsePointer } from '../core/documents/pointer.ts'
import { type Condition, compileCondition, OPERATORS } from '../core/judging/condition.ts'
import { MAX_PATTERN_CHARS, PatternError } from '../core/judging/pattern.ts'
import { Problem } from '../errors.ts'

/** Longest window that a rate is taken over, in milliseconds: minutes are kept at least that long. */
const MAX_WINDOW_MS = 86_400_000
const MAX_VALUE_CHARS = 10_000

const windowMs = Type.Integer({
  minimum: 60_000,
  maximum: MAX_WINDOW_MS,
  description: 'Taken over this long, in milliseconds, by whole minutes',
})
const share = Type.Number({ minimum: 0, maximum: 1 })
const size = Type.Integer({ minimum: 0, maximum: 1_000_000_000_000 })
const minSamples = Type.Integer({
  minimum: 1,
  maximum: 1_000_000,
  description: 'With fewer, nothing is said',
})
const strict = { additionalProperties: false }

/** What each kind of rule takes. */
const PARAMS = {
  errorRate: Type.Object(
    { above: share, windowMs: Type.Optional(windowMs), minSamples: Type.Optional(minSamples) },
    strict,
  ),
  changed: Type.Object(
    {
      everyMs: Type.Optional(
        Type.Integer({ minimum: 0, maximum: 604_800_000, description: 'Told at most this often, a stream' }),
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
  streamId: Type.Optional(Type.Union([Type.String(), Type.Null()], { description: 'Of one stream' })),
  tag: Type.Optional(
    Type.Union([Type.String({ minLength: 1, maxLength: 64 }), Type.Null()], {
      description: 'Of those with a tag',
    }),
  ),
  failureThreshold: Type.Optional(threshold),
  successThreshold: Type.Optional(threshold),
  isEnabled: Type.Optional(Type.Boolean()),
}

/** What `POST /api/rules` takes. */
export const RuleSchema = Type.Object({ ...common, params: Type.Object({}) }, strict)
type Given = Omit<Static<typeof RuleSchema>, 'kind' | 'params'>
export type RuleInput = Given & RuleParams
/** What `PATCH /api/rules/:id` takes: any part of it. */
export type RuleChange = Record<string, unknown>

/** Checks a whole rule. @throws Problem `invalid_field`, naming the field */
export function checkRule(value: unknown): RuleInput {
  refuseFirst(RuleSchema, value, '')
  const input = value as RuleInput
  refuseFirst(PARAMS[input.kind], input.params, 'params')
  if (input.streamId && input.tag) throw invalid('Name a stream or a tag, not both.', 'tag')
  if (input.kind === 'condition') checkCondition(input.params)
  if (input.kind === 'changeRate' || input.kind === 'size') {
    const { min = 0, max = Number.POSITIVE_INFINITY } = input.params
    if (min > max) throw invalid('params.min is above params.max.', 'params')
  }
  return input
}

/** Checks that a value is an object. @throws Problem `invalid_field` */
export function checkFields(value: unknown): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>
  throw new Problem('invalid_field', 'Expected a JSON object.')
}

/** @throws Problem `invalid_field` of the first thing that is wrong */
export function refuseFirst(schema: TSchema, value: unknown, within: string): void {
  const error = Errors(schema, value).First()
  if (error === undefined) return
  const path = [...(within === '' ? [] : [within]), ...(parsePointer(error.path) ?? [])]
  const field = path.join('.')
  const choices = (error.schema.anyOf as { const?: string; type?: string }[] | undefined)?.map(
    (choice) => choice.const ?? choice.type,
  )
  const message = error.message.charAt(0).toLowerCase() + error.message.slice(1)
  if (error.message === 'Unexpected property')
    throw invalid(`There is no field ${field.slice(0, 200)}.`, path[0])
  if (choices !== undefined) throw invalid(`${field}: expected ${choices.join(' or ')}.`, path[0])
  throw invalid(field === '' ? `${error.message}.` : `${field}: ${message}.`, path[0])
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
    throw invalid(`params.value: ${op} ${needsNone ? 'takes none' : 'needs one'}.`, 'params')
  }
  if ((op === 'above' || op === 'below') && !Number.isFinite(value)) {
    throw invalid(`params.value: ${op} needs a number.`, 'params')
  }
  if (op === 'matches') checkPattern(value)
  if (JSON.stringify(value ?? null).length > MAX_VALUE_CHARS) {
    throw invalid(`params.value: longer than ${MAX_VALUE_CHARS} characters of JSON.`, 'params')
  }
}

function checkPattern(value: unknown): void {
  if (typeof value !== 'string' || value.length > MAX_PATTERN_CHARS) {
    throw invalid(`params.value: matches needs a pattern of up to ${MAX_PATTERN_CHARS} characters.`, 'params')
  }
  try {
    compileCondition({ pointer: '', op: 'matches', value })
  } catch (error) {
    if (!(error instanceof PatternError)) throw error
    throw invalid(`params.value isn't a pattern that is known here. ${error.message}`, 'params')
  }
}

function invalid(detail: string, field: string | undefined): Problem {
  return new Problem('invalid_field', detail, field?.slice(0, 64))
}
