import { type Static, type TSchema, Type } from '@sinclair/typebox'
import { Errors, type ValueError, ValueErrorType } from '@sinclair/typebox/errors'
import { parsePointer } from '../core/documents/pointer.ts'
import { Problem } from '../errors.ts'
import { HIDDEN } from './kind.ts'
import { type AnyKind, KIND_NAMES, kindOf } from './kinds.ts'

const Name = Type.String({
  minLength: 1,
  maxLength: 64,
  pattern: '^[^,\\x00-\\x1f]+$',
  description: 'Unique',
})
const Tag = Type.String({ minLength: 1, maxLength: 64, pattern: '^[^,\\x00-\\x1f]+$' })
const fields = {
  name: Name,
  config: Type.Record(Type.String(), Type.Unknown(), {
    description: 'What the kind needs. Secrets are never shown again.',
  }),
  tags: Type.Array(Tag, {
    maxItems: 20,
    default: [],
    description: 'Responsible for streams with one of these tags, unless they name channels themselves',
  }),
  isDefault: Type.Boolean({
    default: false,
    description: 'Responsible for streams that no other channel is responsible for',
  }),
}
const { name, config, ...optional } = fields

/** What `POST /api/channels` takes. */
export const ChannelSchema = Type.Composite(
  [
    Type.Object({ name, kind: Type.Union(KIND_NAMES.map((each) => Type.Literal(each))), config }),
    Type.Partial(Type.Object(optional)),
  ],
  { additionalProperties: false },
)
export type ChannelInput = Static<typeof ChannelSchema>

/** What `PATCH /api/channels/:id` takes. Of the config, fields that are left out stay, and null takes one away. */
export const ChannelChangeSchema = Type.Partial(Type.Object(fields), {
  additionalProperties: false,
  minProperties: 1,
})
export type ChannelChange = Static<typeof ChannelChangeSchema>

/** What can be said with a message of one's own. */
export const NotifySchema = Type.Object(
  { message: Type.String({ minLength: 1, maxLength: 2_000, pattern: '\\S', description: 'Plain text' }) },
  { additionalProperties: false },
)

/** @throws Problem `invalid_field`, naming the field */
export function checkChannel(value: unknown): ChannelInput {
  return checked(ChannelSchema, value)
}

/** @throws Problem `invalid_field`, naming the field */
export function checkChannelChange(value: unknown): ChannelChange {
  return checked(ChannelChangeSchema, value)
}

/** The message that somebody wants to send. @throws Problem `invalid_field` */
export function checkNotify(value: unknown): string {
  return checked(NotifySchema, value).message
}

/**
 * A config as it is after a change: a value that is left out, or that stands for one that is hidden, stays; null takes
 * one away.
 * @throws Problem `invalid_field`, naming the field as `config.…`
 */
export function configOf(
  kind: AnyKind,
  given: Readonly<Record<string, unknown>>,
  before?: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const kept = Object.entries(given).filter(([, value]) => value !== HIDDEN || before === undefined)
  const merged = Object.fromEntries(
    Object.entries({ ...before, ...Object.fromEntries(kept) }).filter(([, value]) => value !== null),
  )
  const unknown = Object.keys(merged).find((field) => !(field in kind.schema.properties))
  if (unknown !== undefined)
    throw wrong(`config.${unknown}`, `${kind.label} has no field ${unknown.slice(0, 64)}.`)
  const after = before === undefined ? merged : (kind.succeed?.({ ...before }, merged) ?? merged)
  const valid = checked(kind.schema, after, 'config') as Record<string, unknown>
  const fault = kind.check?.(valid)
  if (fault !== undefined) throw wrong(`config.${fault.field}`, fault.detail)
  if (before !== undefined) checkCredentials(kind, { before, given, after: valid })
  return valid
}

/** What was given for one server is no other's: with a change of the target, it has to be said again. */
function checkCredentials(
  kind: AnyKind,
  { before, given, after }: Record<'before' | 'given' | 'after', Readonly<Record<string, unknown>>>,
): void {
  const isKept = (field: string) => given[field] === undefined || given[field] === HIDDEN
  const field = kind.credentials?.find((each) => after[each] !== undefined && isKept(each))
  if (field === undefined || placeOf(kind, before) === placeOf(kind, after)) return
  const { title = field } = kind.schema.properties[field] as { title?: string }
  const [from, to] = [before, after].map((config) => kind.target(config).host)
  const where = from === to ? `another port or protocol of ${from}` : `${from}, not for ${to}`
  throw wrong(`config.${field}`, `${title}: the stored one is for ${where}. Enter it again, or send null.`)
}

/** Where a channel sends to, with its protocol where that is part of a URL. */
function placeOf(kind: AnyKind, config: Readonly<Record<string, unknown>>): string {
  const { host, port } = kind.target(config)
  return [typeof config.url === 'string' ? new URL(config.url).protocol : '', host, port].join(' ')
}

/** @throws Problem `invalid_field` for a kind that there isn't */
export function knownKind(name: string): AnyKind {
  const kind = kindOf(name)
  if (kind === undefined) throw wrong('kind', `kind: expected ${KIND_NAMES.join(' or ')}.`)
  return kind
}

function checked<S extends TSchema>(expected: S, value: unknown, within = ''): Static<S> {
  const error = Errors(expected, value).First()
  if (error === undefined) return value as Static<S>
  const path = [within, ...(parsePointer(error.path) ?? [])].filter(Boolean)
  const field = path.slice(0, within ? 2 : 1).join('.')
  if (error.message === 'Unexpected property') throw wrong(field, `There is no field ${field}.`)
  throw wrong(field, describe(error, path.join('.')))
}

/** In words, and without the value: it may be a secret. */
function describe({ message, schema, type }: ValueError, field: string): string {
  const choices = (schema.anyOf as { const?: string }[] | undefined)?.map((choice) => choice.const)
  if (choices !== undefined) return `${field}: expected ${choices.join(' or ')}.`
  if (type === ValueErrorType.ObjectRequiredProperty) return `${field}: is required.`
  if (type === ValueErrorType.StringPattern) {
    return `${field}: isn't as it should be. ${schema.description ?? ''}`.trim()
  }
  return field === '' ? `${message}.` : `${field}: ${message.charAt(0).toLowerCase()}${message.slice(1)}.`
}

function wrong(field: string, detail: string): Problem {
  return new Problem('invalid_field', detail, field.slice(0, 100))
}
