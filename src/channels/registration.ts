import { type Static, Type } from '@sinclair/typebox'
import { HIDDEN } from '../core/hidden.ts'
import { Problem } from '../errors.ts'
import { checked } from '../schema.ts'
import { type AnyKind, channelKindOf, KIND_NAMES } from './kinds.ts'

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
    description: 'Configuration of the kind. Secrets are never shown again.',
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

/** The body of `POST /api/channels`. */
export const ChannelSchema = Type.Composite(
  [
    Type.Object({ name, kind: Type.Union(KIND_NAMES.map((each) => Type.Literal(each))), config }),
    Type.Partial(Type.Object(optional)),
  ],
  { additionalProperties: false },
)
export type ChannelInput = Static<typeof ChannelSchema>

/** The body of `PATCH /api/channels/:id`. Config fields that are left out stay, and null removes one. */
export const ChannelChangeSchema = Type.Partial(Type.Object(fields), {
  additionalProperties: false,
  minProperties: 1,
})
export type ChannelChange = Static<typeof ChannelChangeSchema>

/** The body of a custom notification. */
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

/** The message to send. @throws Problem `invalid_field` */
export function checkNotify(value: unknown): string {
  return checked(NotifySchema, value).message
}

/**
 * A config after a change: values that are left out, or that are the placeholder of a secret, stay; null removes one.
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
  const valid = checked(kind.schema, after, { within: 'config' }) as Record<string, unknown>
  const fault = kind.check?.(valid)
  if (fault !== undefined) throw wrong(`config.${fault.field}`, fault.detail)
  if (before !== undefined) checkCredentials(kind, { before, given, after: valid })
  return valid
}

/** A credential for one server is never sent to another: it must be entered again when the target changes. */
function checkCredentials(
  kind: AnyKind,
  { before, given, after }: Record<'before' | 'given' | 'after', Readonly<Record<string, unknown>>>,
): void {
  const isKept = (field: string) => given[field] === undefined || given[field] === HIDDEN
  const field = kind.credentials?.find((each) => after[each] !== undefined && isKept(each))
  if (field === undefined || placeOf(kind, before) === placeOf(kind, after)) return
  const { title = field } = kind.schema.properties[field] as { title?: string }
  const [from, to] = [before, after].map((config) => kind.target(config).host)
  const where = from === to ? `another port or protocol on ${from}` : `${from}, not ${to}`
  throw wrong(
    `config.${field}`,
    `${title}: the stored value is for ${where}. Enter it again, or send null to remove it.`,
  )
}

/** A channel's target, with its protocol if it is a URL. */
function placeOf(kind: AnyKind, config: Readonly<Record<string, unknown>>): string {
  const { host, port } = kind.target(config)
  return [typeof config.url === 'string' ? new URL(config.url).protocol : '', host, port].join(' ')
}

/** @throws Problem `invalid_field` for an unknown kind */
export function knownKind(name: string): AnyKind {
  const kind = channelKindOf(name)
  if (kind === undefined) throw wrong('kind', `kind: expected ${KIND_NAMES.join(' or ')}.`)
  return kind
}

function wrong(field: string, detail: string): Problem {
  return new Problem('invalid_field', detail, field.slice(0, 100))
}
