import { type Static, type TSchema, Type } from '@sinclair/typebox'
import { Errors } from '@sinclair/typebox/errors'
import { parsePointer } from '../core/documents/pointer.ts'
import { Problem } from '../errors.ts'
import { invalid } from './rule-kinds/kind.ts'
import { RULE_KINDS, type RuleParams, ruleKind } from './rule-kinds.ts'

const strict = { additionalProperties: false }
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

/** The body of `POST /api/rules`. */
export const RuleSchema = Type.Object({ ...common, params: Type.Object({}) }, strict)
type Given = Omit<Static<typeof RuleSchema>, 'kind' | 'params'>
export type RuleInput = Given & RuleParams
/** The body of `PATCH /api/rules/:id`: any part of a rule. */
export type RuleChange = Record<string, unknown>

/** Checks a whole rule. @throws Problem `invalid_field`, naming the field */
export function checkRule(value: unknown): RuleInput {
  refuseFirst(RuleSchema, value, '')
  const input = value as RuleInput
  const kind = ruleKind(input.kind)
  refuseFirst(kind.schema, input.params, 'params')
  if (input.streamId && input.tag) throw invalid('Give either `streamId` or `tag`, not both.', 'tag')
  kind.check?.(input.params)
  return input
}

/** Checks that a value is an object. @throws Problem `invalid_field` */
export function checkFields(value: unknown): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>
  throw new Problem('invalid_field', 'Expected a JSON object.')
}

/** @throws Problem `invalid_field` naming the first invalid field */
export function refuseFirst(schema: TSchema, value: unknown, within: string): void {
  const error = Errors(schema, value).First()
  if (error === undefined) return
  const path = [...(within === '' ? [] : [within]), ...(parsePointer(error.path) ?? [])]
  const field = path.join('.')
  const choices = (error.schema.anyOf as { const?: string; type?: string }[] | undefined)?.map(
    (choice) => choice.const ?? choice.type,
  )
  const message = error.message.charAt(0).toLowerCase() + error.message.slice(1)
  if (error.message === 'Unexpected property') throw invalid(`Unknown field ${field.slice(0, 200)}.`, path[0])
  if (choices !== undefined) throw invalid(`${field}: expected ${choices.join(' or ')}.`, path[0])
  throw invalid(field === '' ? `${error.message}.` : `${field}: ${message}.`, path[0])
}
