import { type Static, Type } from '@sinclair/typebox'
import { checked } from '../schema.ts'
import { invalid } from './rule-kinds/kind.ts'
import { RULE_KINDS, type RuleParams, ruleKind } from './rule-kinds.ts'

const strict = { additionalProperties: false }
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
  const kind = ruleKind(input.kind)
  checked(kind.schema, input.params, { within: 'params' })
  if (input.streamId && input.tag) throw invalid('Give either `streamId` or `tag`, not both.', 'tag')
  kind.check?.(input.params)
  return input
}
