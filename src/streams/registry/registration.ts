import { type Static, type TArray, type TObject, type TString, Type } from '@sinclair/typebox'
import { nulIn } from '../../core/documents/nul.ts'
import { parsePointer } from '../../core/documents/pointer.ts'
import { HIDDEN } from '../../core/hidden.ts'
import { factsOf, PUSH_SCHEMES, type PushSettings } from '../../core/sets/push-schemes.ts'
import { eachField, type PlainName, type PlainValues, STREAM_FIELD } from '../../core/sets/stream-fields.ts'
import {
  isPushed,
  isSocketUrl,
  kindsOfUrl,
  OTHERWISE,
  STREAM_KIND,
  STREAM_KINDS,
  type StreamKind,
} from '../../core/sets/stream-kinds.ts'
import { DAY_MS } from '../../core/time.ts'
import { Problem } from '../../errors.ts'
import { sentValue } from '../../net/header-bytes.ts'
import { checked } from '../../schema.ts'
import { parseSelection } from '../content/selection.ts'
import { checkMessages, MessagesSchema } from './messages.ts'
import { checkOptions, OPTION_SCHEMAS } from './request-options.ts'

/** Shortest polling interval, in milliseconds: anything shorter is an attack. */
const MIN_INTERVAL_MS = 500
/** Longest polling interval, in milliseconds: a week. */
const MAX_INTERVAL_MS = 604_800_000
/** Longest time that an owner may let a stream fail before it is dead, in milliseconds: a week. */
const MAX_DEAD_AFTER_MS = 604_800_000
/** Maximum headers of a stream; more is a mistake. */
const MAX_HEADERS = 50
export const MAX_URL_CHARS = 8_192
/** Longest age limit of a stream's log, in milliseconds: a hundred years. */
const MAX_AGE_MS = 3_155_760_000_000

export const MAX_TAGS = STREAM_FIELD.tags.maxItems
export const Tag = memberOf(STREAM_FIELD.tags)

const fields = {
  url: Type.String({
    maxLength: MAX_URL_CHARS,
    description: 'http or https, ws or wss for a WebSocket; without credentials',
  }),
  kind: Type.Union(
    STREAM_KINDS.map((kind) => Type.Literal(kind)),
    {
      description: 'Default: detected with one request to the API',
    },
  ),
  name: Type.String({ minLength: 1, maxLength: 200, description: 'Default: host and path of the URL' }),
  intervalMs: Type.Integer({
    minimum: MIN_INTERVAL_MS,
    maximum: MAX_INTERVAL_MS,
    default: 60_000,
    description: 'Time between two polls, in milliseconds',
  }),
  silenceMs: Type.Union([Type.Integer({ minimum: 1_000, maximum: DAY_MS }), Type.Null()], {
    description:
      'Time without a byte after which an event stream reconnects, in milliseconds; null: learned automatically',
  }),
  deadAfterFailures: Type.Union([Type.Integer({ minimum: 1, maximum: 1_000 }), Type.Null()], {
    description:
      'Failures in a row after which the stream is dead, once `deadAfterMs` has passed too; null: DEAD_AFTER_FAILURES',
  }),
  deadAfterMs: Type.Union([Type.Integer({ minimum: 0, maximum: MAX_DEAD_AFTER_MS }), Type.Null()], {
    description:
      'Time since the first failure in a row after which the stream is dead, in milliseconds; null: DEAD_AFTER_MS',
  }),
  resumes: Type.Boolean({
    default: false,
    description:
      'Whether the upstream of an event stream sends everything after Last-Event-ID. If false, a reconnect leaves a gap unless event IDs prove that nothing is missing',
  }),
  method: Type.Union([Type.Literal('GET'), Type.Literal('POST'), Type.Literal('PUT')], { default: 'GET' }),
  headers: Type.Record(Type.String(), Type.String({ maxLength: 8_192 }), {
    default: {},
    description: 'Request headers; values are sent in UTF-8, and never returned',
  }),
  body: Type.String({ maxLength: 262_144, description: 'Request body; not allowed with GET' }),
  ...OPTION_SCHEMAS,
  messages: MessagesSchema,
  ...plainSchemas(),
  push: Type.Union(
    [
      Type.Object(
        {
          scheme: Type.Union(PUSH_SCHEMES.map((scheme) => Type.Literal(scheme))),
          secret: Type.Optional(
            Type.String({
              minLength: 1,
              maxLength: 1_024,
              description: 'What the sender signs with; never returned',
            }),
          ),
          header: Type.Optional(
            Type.String({
              pattern: '^[\\w-]+$',
              maxLength: 100,
              description: 'Name of the header with the signature',
            }),
          ),
          idFrom: Type.Optional(
            Type.String({
              maxLength: 1_024,
              description: "Where a delivery's ID is: a JSON Pointer into the body, or the name of a header",
            }),
          ),
          toleranceMs: Type.Optional(Type.Integer({ minimum: 1_000, maximum: DAY_MS, default: 300_000 })),
        },
        { additionalProperties: false },
      ),
      Type.Null(),
    ],
    {
      description:
        'How deliveries to a stream of the kind `push` are verified and identified; null: not at all',
    },
  ),
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
        'Retention limits for this stream, stricter than the global ones: maxAgeMs, maxEntries, maxBytes of contents; null: none',
    },
  ),
}

const { url, ...rest } = fields
const start = Type.Boolean({ default: true, description: 'Whether to start immediately' })
const twin = Type.Boolean({
  default: false,
  description: 'Whether to also follow a polled API through the proxy, to compare both',
})

type PlainSchemas = { [Name in PlainName]: PlainValues[Name] extends string ? TString : TArray<TString> }

function plainSchemas(): PlainSchemas {
  return eachField((field) => {
    const described = field.description === undefined ? {} : { description: field.description }
    return field.type === 'text'
      ? Type.String({ maxLength: field.maxChars, default: '', ...described })
      : Type.Array(memberOf(field), { maxItems: field.maxItems, default: [], ...described })
  }) as PlainSchemas
}

function memberOf({ minChars, maxChars, pattern, memberDescription }: Member): TString {
  return Type.String({
    ...(minChars !== undefined && { minLength: minChars }),
    maxLength: maxChars,
    ...(pattern !== undefined && { pattern }),
    ...(memberDescription !== undefined && { description: memberDescription }),
  })
}

interface Member {
  minChars?: number
  maxChars: number
  pattern?: string
  memberDescription?: string
}

/** What `POST /api/streams` takes. */
export const RegistrationSchema = Type.Composite(
  [Type.Object({ url }), Type.Partial(Type.Object({ ...rest, start, twin }))],
  { additionalProperties: false },
)
export type Registration = Static<typeof RegistrationSchema>

/** The body of `POST /api/streams/preview`: the request to preview. */
export const PreviewSchema = Type.Composite(
  [
    Type.Object({ url }),
    Type.Partial(
      Type.Object({
        ...{ method: fields.method, headers: fields.headers, body: fields.body },
        ...{ kind: fields.kind, messages: fields.messages, select: fields.select },
        ...{ auth: fields.auth, tls: fields.tls },
      }),
    ),
  ],
  { additionalProperties: false },
)
export type PreviewRequest = Static<typeof PreviewSchema>

const alwaysOn = Type.Boolean({
  description: 'Whether a proxied stream keeps running without subscribers; proxied streams only',
})

/** When streams are dead, for many at once. */
export const DeadAfterSchemas = {
  deadAfterFailures: Type.Optional(fields.deadAfterFailures),
  deadAfterMs: Type.Optional(fields.deadAfterMs),
}
export type DeadAfter = Pick<StreamChange, keyof typeof DeadAfterSchemas>

/** The body of `PATCH /api/streams/:id`: any part of a registration except `start` and `twin`. */
export const ChangeSchema = Type.Partial(Type.Object({ ...fields, alwaysOn }), {
  additionalProperties: false,
  minProperties: 1,
})
export type StreamChange = Static<typeof ChangeSchema>

/**
 * Validates a registration.
 * @param mayHide whether headers may have the placeholder of a hidden value, because there is a stored one
 * @throws Problem `invalid_field`, naming the field.
 */
export function checkRegistration(value: unknown, mayHide = false): Registration {
  const registered = validated(RegistrationSchema, value, mayHide)
  checkBody(registered.method ?? methodOf(registered), registered.body)
  // What a line of an import leaves out is known only with the stream.
  if (!mayHide) checkSubscription(registered)
  if (registered.push && !mayHide) {
    checkPushed(registered.kind)
    checkSecret(registered.push)
  }
  return registered
}

/** Validates a request for a preview, like {@link checkRegistration}. */
export function checkPreview(value: unknown): PreviewRequest {
  const looked = validated(PreviewSchema, value)
  checkBody(looked.method ?? methodOf(looked), looked.body)
  checkSubscription(looked)
  return looked
}

/**
 * Validates a change of a stream, like {@link checkRegistration}; the placeholder of a hidden header keeps the stored
 * value.
 */
export function checkChange(value: unknown): StreamChange {
  const changed = validated(ChangeSchema, value, true)
  checkBody(changed.method, changed.body)
  return changed
}

function validated<S extends TObject>(schema: S, value: unknown, mayHide = false): Static<S> {
  checked(schema, value)
  const nul = nulIn(value)
  if (nul !== undefined)
    throw new Problem('invalid_field', `${nul}: NUL characters aren't allowed.`, nul.split(/[.[]/)[0])
  checkMeaning(value as StreamChange, mayHide)
  return value as Static<S>
}

/** Checks what a schema can't express. */
function checkMeaning(change: StreamChange, mayHide: boolean): void {
  const { url, kind, headers, messages, payloadPointer, ignorePaths, push, select } = change
  checkOptions(change, mayHide)
  if (url !== undefined) checkUrl(url)
  if (url !== undefined && kind !== undefined) checkKindOfUrl(url, kind)
  if (messages) checkMessages(messages, mayHide)
  if (push) checkPush(push)
  if (headers !== undefined) checkHeaders(headers, mayHide)
  if (select !== undefined) parseSelection(select)
  if (payloadPointer !== undefined && parsePointer(payloadPointer) === undefined) {
    throw new Problem('invalid_field', notPointer(payloadPointer), 'payloadPointer')
  }
  const bad = ignorePaths?.find((path) => path === '' || parsePointer(path) === undefined)
  if (bad !== undefined) throw new Problem('invalid_field', notPointer(bad), 'ignorePaths')
}

/** @throws Problem `invalid_field` unless events are pushed to a stream of this kind */
export function checkPushed(kind: StreamKind | undefined): void {
  if (kind !== undefined && isPushed(kind)) return
  throw new Problem('invalid_field', 'push: only a stream of the kind push has this field.', 'push')
}

function checkSecret({ scheme, secret }: PushSettings): void {
  const refuse = (detail: string) => new Problem('invalid_field', detail, 'push')
  if (secret === HIDDEN) throw refuse('push.secret: its value is hidden. Set it.')
  if (factsOf(scheme).isSigned && secret === undefined) {
    throw refuse('push.secret: set the secret that the sender signs with.')
  }
}

function checkPush({ scheme, header, idFrom = '' }: PushSettings): void {
  const refuse = (detail: string) => new Problem('invalid_field', detail, 'push')
  if (scheme === 'hmac-sha256-header' && header === undefined) {
    throw refuse('push.header: set the name of the header with the signature.')
  }
  const isName = /^[\w-]*$/.test(idFrom)
  if (!isName && parsePointer(idFrom) === undefined) {
    throw refuse('push.idFrom: expected a JSON Pointer such as /id, or the name of a header.')
  }
}

function checkUrl(text: string): void {
  const refuse = (detail: string) => new Problem('invalid_field', detail, 'url')
  if (!URL.canParse(text)) throw refuse(`"${text.slice(0, 200)}" isn't a valid URL.`)
  const { protocol, username, password } = new URL(text)
  if (kindsOfUrl(text).length === 0) {
    throw refuse(`Unsupported URL scheme: ${protocol.slice(0, -1)}. Use http or https, or ws or wss.`)
  }
  if (username !== '' || password !== '') {
    throw refuse('The URL must not contain credentials. Send them as a header.')
  }
}

/** @throws Problem `invalid_field` for a URL that streams of this kind can't have */
export function checkKindOfUrl(url: string, kind: StreamKind): void {
  if (kindsOfUrl(url).includes(kind)) return
  const schemes = STREAM_KIND[kind].schemes.map((scheme) => scheme.slice(0, -1)).join(' or ')
  throw new Problem(
    'invalid_field',
    `A stream of kind ${kind} needs a URL with the scheme ${schemes}.`,
    'url',
  )
}

function methodOf({ kind = OTHERWISE }: Pick<StreamChange, 'kind'>): 'GET' | 'POST' {
  return STREAM_KIND[kind].method
}

/**
 * A subscription is the JSON of a GraphQL request; one that is sent with GET may be in the URL instead.
 * @throws Problem `invalid_field`
 */
export function checkSubscription({
  kind,
  url = '',
  method,
  body,
}: Pick<StreamChange, 'kind' | 'url' | 'body'> & { method?: string | undefined }): void {
  if (kind !== 'graphql' || (!body && method === 'GET' && !isSocketUrl(url))) return
  const refuse = () =>
    new Problem(
      'invalid_field',
      'body: expected a GraphQL request: JSON with a `query`, and perhaps `variables`.',
      'body',
    )
  try {
    if (typeof JSON.parse(body ?? '').query !== 'string') throw refuse()
  } catch {
    throw refuse()
  }
}

function checkBody(method: StreamChange['method'], body: string | undefined): void {
  if (method !== 'GET' || !body) return
  throw new Problem('invalid_field', "GET requests can't have a body. Set `method` to POST or PUT.", 'body')
}

function checkHeaders(headers: Record<string, string>, mayHide: boolean): void {
  const refuse = (detail: string) => new Problem('invalid_field', detail, 'headers')
  const names = Object.keys(headers)
  if (names.length > MAX_HEADERS) throw refuse(`At most ${MAX_HEADERS} headers are allowed.`)
  try {
    const isKept = (value: string) => mayHide && value === HIDDEN
    new Headers(Object.entries(headers).map(([name, value]) => [name, isKept(value) ? '' : sentValue(value)]))
  } catch {
    throw refuse('A header name or value contains invalid characters.')
  }
}

function notPointer(text: string): string {
  return `"${text.slice(0, 200)}" isn't a JSON Pointer. It must start with "/" and escape "~" as "~0" (RFC 6901).`
}
