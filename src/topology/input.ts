import { type Static, Type } from '@sinclair/typebox'
import { Problem } from '../errors.ts'
import { checked } from '../schema.ts'
import { REPORTED_KINDS } from './rules.ts'

/** Maximum number of items in a list of a report. */
const MAX_REPORTED = 500
const strict = { additionalProperties: false }
const name = Type.String({ maxLength: 64 })

/** What programs report: services, and calls between them. */
export const ReportSchema = Type.Object(
  {
    services: Type.Optional(
      Type.Array(
        Type.Object(
          {
            id: name,
            name: Type.Optional(name),
            url: Type.Optional(
              Type.String({ maxLength: 2_048, description: 'http or https, without credentials' }),
            ),
            kind: Type.Optional(Type.Union(REPORTED_KINDS.map((kind) => Type.Literal(kind)))),
            group: Type.Optional(
              Type.String({ maxLength: 64, description: 'Group in the diagram, such as a namespace' }),
            ),
          },
          strict,
        ),
        { maxItems: MAX_REPORTED },
      ),
    ),
    calls: Type.Optional(
      Type.Array(
        Type.Object(
          {
            from: name,
            to: name,
            status: Type.Optional(Type.Integer({ minimum: 100, maximum: 599 })),
            durationMs: Type.Optional(Type.Number({ minimum: 0 })),
          },
          strict,
        ),
        { maxItems: MAX_REPORTED },
      ),
    ),
  },
  strict,
)

/** How much of an unknown field's name is shown. */
const MAX_SHOWN_CHARS = 64

export type RequestFields = Readonly<Record<string, unknown>>

/**
 * The fields of a body that was parsed as JSON or as a form.
 * @throws Problem `invalid_json` if it isn't an object, `invalid_field` for a field that isn't `allowed`.
 */
export function requestFieldsOf(value: unknown, allowed: readonly string[]): RequestFields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Problem('invalid_json', 'Expected a JSON object.')
  }
  const unknown = Object.keys(value).find((field) => !allowed.includes(field))
  if (unknown === undefined) return value as RequestFields
  const detail = `Unknown field. Allowed: ${allowed.join(', ')}.`
  throw new Problem('invalid_field', detail, unknown.slice(0, MAX_SHOWN_CHARS))
}

/** The text of a field; `otherwise` if it is left out. @throws Problem `invalid_field`. */
export function textField(fields: RequestFields, field: string, otherwise?: string): string {
  const value = fields[field] ?? otherwise
  if (typeof value !== 'string') throw new Problem('invalid_field', 'Expected a string.', field)
  return value
}

/** @throws Problem `invalid_field`, naming the field with its place, such as `services[1].id` */
export function checkReport(value: unknown): Static<typeof ReportSchema> {
  return checked(ReportSchema, value, { isExact: true })
}
