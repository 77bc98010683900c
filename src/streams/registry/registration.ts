import { type Static, type TObject, Type } from '@sinclair/typebox'
import { Errors, type ValueError, ValueErrorType } from '@sinclair/typebox/errors'
import { nulIn } from '../../core/documents/nul.ts'
import { parsePointer } from '../../core/documents/pointer.ts'
import { HIDDEN } from '../../core/hidden.ts'
import { Problem } from '../../errors.ts'

/** Shortest interval between two polls, in milliseconds: below it, polling is an attack. */
const MIN_INTERVAL_MS = 500
/** Longest, in milliseconds: a week. */
const MAX_INTERVAL_MS = 604_800_000
/** Headers a stream may send; more is a mistake. */
const MAX_HEADERS = 50
export const MAX_URL_CHARS = 8_192
/** Longest bound of a stream's own on the age of its log, in milliseconds: a hundred years. */
const MAX_AGE_MS = 3_155_760_000_000

export const MAX_TAGS = 20
export const Tag = Type.String({ minLength: 1, maxLength: 64, pattern: '^[^,\\x00-\\x1f]+$' })
const Pointer = Type.String({ maxLength: 1_024, description: 'JSON Pointer (RFC 6901)' })

const fields = {
  url: Type.String({ maxLength: MAX_URL_CHARS, description: 'http or https, without credentials' }),
  kind: Type.Union([Type.Literal('sse'), Type.Literal('poll')], {
    description: 'Left out: found by asking the API once',
  }),
  name: Type.String({ minLength: 1, maxLength: 200, description: 'Left out: host and path of the URL' }),
  intervalMs: Type.Integer({
    minimum: MIN_INTERVAL_MS,
    maximum: MAX_INTERVAL_MS,
    default: 60_000,
    description: 'Time between two polls, in milliseconds',
  }),
  silenceMs: Type.Union([Type.Integer({ minimum: 1_000, maximum: 86_400_000 }), Type.Null()], {
    description:
      'An event stream without a byte for this long is connected anew, in milliseconds; null: learnt',
  }),
  method: Type.Union([Type.Literal('GET'), Type.Literal('POST'), Type.Literal('PUT')], { default: 'GET' }),
  headers: Type.Record(Type.String(), Type.String({ maxLength: 8_192 }), {
    default: {},
    description: 'Sent with every request; values are never shown again',
  }),
  body: Type.String({ maxLength: 262_144, description: 'Sent with every request; not with GET' }),
  payloadPointer: Type.String({
    maxLength: 1_024,
    default: '',
    description: 'JSON Pointer (RFC 6901) of the part to follow; empty is the whole document',
  }),
  ignorePaths: Type.Array(Pointer, {
    maxItems: 50,
    default: [],
    description: 'Parts left out of the document that is compared and stored; `*` matches any key or index',
  }),
  arrayKeys: Type.Array(Type.String({ minLength: 1, maxLength: 100 }), {
    maxItems: 20,
    default: [],
    description: 'Keys that identify the members of arrays; left out: id, _id, key, uuid',
  }),
  tags: Type.Array(Tag, { maxItems: MAX_TAGS, default: [] }),
  notify: Type.Array(Type.String({ minLength: 1, maxLength: 64 }), {
    maxItems: 20,
    default: [],
    description: 'Channels that are responsible for the stream',
  }),
  retention: Type.Union(
    [
      Type.Object(
        {
          maxAgeMs: Type.Optional(Type.Integer({ minimum: 60_000, maximum: MAX_AGE_MS })),
          maxEntries: Type.Optional(Type.Integer({ minimum: 1 })),
          maxBytes: Type.Optional(Type.Integer({ minimum: 1_024 })),
        },
        { additionalProperties: false, minProperties: 1 },
      ),
      Type.Null(),
    ],
    {
      description:
        'Closer bounds for what is kept of this stream: maxAgeMs, maxEntries, maxBytes of contents; null: none of its own',
    },
  ),
}

const { url, ...rest } = fields
const start = Type.Boolean({ default: true, description: 'Whether to follow it at once' })
const twin = Type.Boolean({
  default: false,
  description: 'Whether to follow a polled API through the proxy as well, to measure both side by side',
})

/** What `POST /api/streams` takes. */
export const RegistrationSchema = Type.Composite(
  [Type.Object({ url }), Type.Partial(Type.Object({ ...rest, start, twin }))],
  { additionalProperties: false },
)
export type Registration = Static<typeof RegistrationSchema>

/** What `POST /api/streams/look` takes: where to ask, and how. */
export const LookSchema = Type.Composite(
  [
    Type.Object({ url }),
    Type.Partial(Type.Object({ method: fields.method, headers: fields.headers, body: fields.body })),
  ],
  { additionalProperties: false },
)
export type Looking = Static<typeof LookSchema>

const alwaysOn = Type.Boolean({
  description: 'Whether a proxied stream runs on while nobody subscribes; only of a proxied stream',
})

/** What `PATCH /api/streams/:id` takes: any part of a registration but `start` and `twin`. */
export const ChangeSchema = Type.Partial(Type.Object({ ...fields, alwaysOn }), {
  additionalProperties: false,
  minProperties: 1,
})
export type Change = Static<typeof ChangeSchema>

/**
 * Checks what someone wants to register.
 * @param mayHide whether headers may have the value that stands for a hidden one: where there is one to keep
 * @throws Problem `invalid_field`, naming the field.
 */
export function checkRegistration(value: unknown, mayHide = false): Registration {
  const registered = checked(RegistrationSchema, value, mayHide)
  checkBody(registered.method ?? 'GET', registered.body)
  return registered
}

/** Checks what someone wants to look at, as {@link checkRegistration} does. */
export function checkLook(value: unknown): Looking {
  const looked = checked(LookSchema, value)
  checkBody(looked.method ?? 'GET', looked.body)
  return looked
}

/** Checks a change to a stream, as {@link checkRegistration} does; a hidden value of a header keeps the stored one. */
export function checkChange(value: unknown): Change {
  const changed = checked(ChangeSchema, value, true)
  checkBody(changed.method, changed.body)
  return changed
}

function checked<S extends TObject>(schema: S, value: unknown, mayHide = false): Static<S> {
  const error = Errors(schema, value).First()
  if (error !== undefined) {
    const field = parsePointer(error.path)?.[0]
    const unknown = error.message === 'Unexpected property'
    throw new Problem('invalid_field', unknown ? `There is no field ${field}.` : describe(error), field)
  }
  const nul = nulIn(value)
  if (nul !== undefined)
    throw new Problem('invalid_field', `${nul}: expected text without NUL.`, nul.split(/[.[]/)[0])
  checkMeaning(value as Change, mayHide)
  return value as Static<S>
}

/** What a schema can't say. */
function checkMeaning({ url, headers, payloadPointer, ignorePaths }: Change, mayHide: boolean): void {
  if (url !== undefined) checkUrl(url)
  if (headers !== undefined) checkHeaders(headers, mayHide)
  if (payloadPointer !== undefined && parsePointer(payloadPointer) === undefined) {
    throw new Problem('invalid_field', notPointer(payloadPointer), 'payloadPointer')
  }
  const bad = ignorePaths?.find((path) => path === '' || parsePointer(path) === undefined)
  if (bad !== undefined) throw new Problem('invalid_field', notPointer(bad), 'ignorePaths')
}

function checkUrl(text: string): void {
  const refuse = (detail: string) => new Problem('invalid_field', detail, 'url')
  if (!URL.canParse(text)) throw refuse(`"${text.slice(0, 200)}" isn't a URL.`)
  const { protocol, username, password } = new URL(text)
  if (protocol !== 'http:' && protocol !== 'https:') {
    throw refuse(`Only http and https can be followed, not ${protocol.slice(0, -1)}.`)
  }
  if (username !== '' || password !== '') {
    throw refuse('A URL must not hold credentials; send them as a header.')
  }
}

function checkBody(method: Change['method'], body: string | undefined): void {
  if (method !== 'GET' || !body) return
  throw new Problem('invalid_field', 'GET sends no body; name POST or PUT as the method.', 'body')
}

function checkHeaders(headers: Record<string, string>, mayHide: boolean): void {
  const refuse = (detail: string) => new Problem('invalid_field', detail, 'headers')
  const names = Object.keys(headers)
  if (names.length > MAX_HEADERS) throw refuse(`At most ${MAX_HEADERS} headers can be sent.`)
  try {
    const isKept = (value: string) => mayHide && value === HIDDEN
    new Headers(Object.entries(headers).map(([name, value]) => [name, isKept(value) ? '' : value]))
  } catch {
    throw refuse('A header has a name or value that HTTP does not allow.')
  }
}

function notPointer(text: string): string {
  return `"${text.slice(0, 200)}" isn't a JSON Pointer: it starts with "/" and writes "~" as "~0" (RFC 6901).`
}

function describe({ path, message, schema, type }: ValueError): string {
  const field = parsePointer(path)?.join('.') ?? ''
  const choices = (schema.anyOf as { const?: string }[] | undefined)?.map((choice) => choice.const)
  if (choices?.every((choice) => choice === undefined || choice === null)) {
    return `${field}: ${schema.description}.`
  }
  if (choices !== undefined) return `${field}: expected ${choices.join(' or ')}.`
  if (type === ValueErrorType.StringPattern) return `${field}: holds a character that isn't allowed.`
  return field === '' ? `${message}.` : `${field}: ${message.charAt(0).toLowerCase()}${message.slice(1)}.`
}
