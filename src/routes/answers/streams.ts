import { type TArray, type TString, Type } from '@sinclair/typebox'
import { DESIRED } from '../../../drizzle/schema.ts'
import { CONNECTION_ENDS, type ConnectionEnd } from '../../core/sets/connection-ends.ts'
import { OTHER_CONTENTS } from '../../core/sets/contents.ts'
import { ENTRY_KINDS } from '../../core/sets/entry-kinds.ts'
import { SKIP_REASONS } from '../../core/sets/gap-reasons.ts'
import { PUSH_SCHEMES } from '../../core/sets/push-schemes.ts'
import { STATUSES, type Status as StreamStatus } from '../../core/sets/statuses.ts'
import { eachField, type PlainName, type PlainValues } from '../../core/sets/stream-fields.ts'
import { STREAM_KINDS } from '../../core/sets/stream-kinds.ts'
import { Bytes, Count, choice, Headers, Id, Instant, Json, Ms, named, nullable, Text } from './types.ts'

const StatusName = choice(STATUSES)
const Verdict = { ...choice(STATUSES, 'Former name of `status`'), deprecated: true }
const Kind = choice(STREAM_KINDS)
const Available = nullable(
  Type.Number({ minimum: 0, maximum: 1 }),
  'Availability of the last 24 hours, as of the last minute; null while unknown',
)
const retention = Type.Partial(Type.Object({ maxAgeMs: Count, maxEntries: Count, maxBytes: Bytes }))

const ShownOAuth2 = Type.Object({
  type: Type.Literal('oauth2'),
  tokenUrl: Text,
  clientId: Text,
  clientSecret: Text,
  scope: Type.Optional(Text),
  audience: Type.Optional(Text),
  credentialsIn: Type.Optional(choice(['header', 'body'])),
})
const ShownDigest = Type.Object({ type: Type.Literal('digest'), username: Text, password: Text })
const ShownCertificate = Type.Object({ subject: Text, expiresAt: Instant })
const Messages = Type.Partial(
  Type.Object({
    ...{ first: Text, resume: Text, init: Text, idPointer: Text, protocol: Text },
    pingMs: Type.Integer({ minimum: 0, description: 'Time between two pings, in milliseconds; 0: none' }),
  }),
)

const stream = {
  id: Id,
  name: Text,
  kind: Kind,
  url: Text,
  method: Text,
  headers: Type.Record(Type.String(), Type.String(), { description: 'Request headers; values are hidden' }),
  body: nullable(Text),
  cookies: choice(['request', 'stream'], 'How long cookies that the upstream sets are kept'),
  repeatable: Type.Boolean({
    description: 'Whether a POST or PUT may be sent twice when its connection turns out to be dead',
  }),
  auth: nullable(Type.Union([ShownOAuth2, ShownDigest]), 'How requests sign in; secrets are hidden'),
  tls: nullable(
    Type.Object({ certificate: nullable(ShownCertificate), ca: Type.Array(ShownCertificate) }),
    'Client certificate and private certificate authorities',
  ),
  intervalMs: Type.Integer({ minimum: 1, description: 'Time between two polls, in milliseconds' }),
  silenceMs: nullable(Count, 'Allowed silence, in milliseconds; null: learned automatically'),
  deadAfterFailures: nullable(Count, 'Failures in a row after which it is dead; null: DEAD_AFTER_FAILURES'),
  deadAfterMs: nullable(
    Count,
    'Time since the first of them after which it is dead, in milliseconds; null: DEAD_AFTER_MS',
  ),
  resumes: Type.Boolean({
    description: 'Whether its owner declares that the upstream sends everything after Last-Event-ID',
  }),
  messages: nullable(
    Messages,
    'What is sent on the connection, and where the IDs of events are; texts are hidden',
  ),
  ...plainFields(),
  push: nullable(
    Type.Object({
      scheme: choice(PUSH_SCHEMES),
      secret: Type.Optional(Type.String({ description: 'Hidden' })),
      header: Type.Optional(Text),
      idFrom: Type.Optional(Text),
      toleranceMs: Type.Optional(Count),
    }),
    'How deliveries to a stream of the kind `push` are verified and identified',
  ),
  hasPushUrl: Type.Boolean({ description: 'Whether it has a URL that takes what is pushed' }),
  retention: nullable(retention, 'Retention limits for this stream, stricter than the global ones'),
  desired: choice(DESIRED, 'Desired state; `idle`: starts with the next subscriber'),
  alwaysOn: Type.Boolean({ description: 'Whether it keeps running without subscribers' }),
  proxied: Type.Boolean({ description: 'Whether the proxy created it' }),
  twinOf: nullable(Id, 'ID of the polled stream that this twin is compared with'),
  createdAt: Instant,
  updatedAt: Instant,
}

/** The texts and lists of texts that the owner sets. */
function plainFields() {
  return eachField(({ type, description }) => {
    const described = description === undefined ? {} : { description }
    return type === 'list' ? Type.Array(Text, described) : Type.String(described)
  }) as { [Name in PlainName]: PlainValues[Name] extends string ? TString : TArray<TString> }
}

export const Stream = named('Stream', stream, 'A registered API')

export const NewStream = named(
  'NewStream',
  {
    ...stream,
    kindReason: Type.Optional(
      Type.String({
        description: 'Why it is of that kind, if that was detected and its content type did not say it',
      }),
    ),
    pushUrl: Type.Optional(
      Type.String({ description: 'Where to push to a stream of the kind `push`; never shown again' }),
    ),
  },
  'A stream that was registered',
)

export const PushUrl = named('PushUrl', { url: Text }, 'Where to push; never shown again')

export const Pushed = named(
  'Pushed',
  {
    seq: Type.Integer({ minimum: 1, description: 'Its place in the log' }),
    isNew: Type.Boolean({ description: 'Whether it was stored now; false: it was stored before' }),
  },
  'A delivery that is stored',
)

export const ChangedStream = named(
  'ChangedStream',
  {
    ...stream,
    droppedHeaders: Type.Array(Text, {
      description: 'Names of headers that were removed because the new URL has a different origin',
    }),
  },
  'A stream after a change',
)

export const ListedStream = named(
  'ListedStream',
  { ...stream, status: StatusName, verdict: Verdict, reason: Text, since: Instant, availability: Available },
  'A stream with its status',
)

const Resumes = Type.Object(
  { proven: Count, missed: Count, unproven: Count, trusted: Count },
  {
    description:
      'Breaks after which the upstream was asked to resume: nothing was missing, IDs were missing, nothing shows it (a gap), or nothing shows it and the stream has `resumes` (no gap)',
  },
)

const Certificate = Type.Object({
  expiresAt: Instant,
  issuer: Text,
  seenAt: Instant,
})

const Hop = Type.Object({
  status: Count,
  to: Type.String({ description: 'What could be a key is hidden' }),
})

const Connections = Type.Object(
  {
    attempts: Count,
    opened: Count,
    ended: Type.Partial(
      Type.Object(
        Object.fromEntries(CONNECTION_ENDS.map((way) => [way, Count])) as Record<ConnectionEnd, typeof Count>,
      ),
    ),
    failed: Count,
  },
  {
    description:
      'Attempts to connect, and those that were answered with an event stream. `ended`: connections that ended without a ' +
      'failure: closed as `retry:` announced (`request`), closed without (`upstream`), broken (`reset`), silent. `failed`: ' +
      'attempts and connections that failed',
  },
)

const Evidence = named(
  'Evidence',
  {
    phase: choice(['idle', 'connecting', 'open', 'waiting']),
    phaseSince: nullable(Instant),
    lastByteAt: nullable(Instant, 'Including heartbeats and comments'),
    lastHeartbeatAt: nullable(Instant),
    lastEventAt: nullable(Instant, 'Last event, or last change of the document'),
    connections: nullable(Connections, 'Of an event stream; null before the first attempt'),
    lastEnd: nullable(
      Type.Object({ at: Instant, by: choice(CONNECTION_ENDS), lastedMs: nullable(Ms) }),
      'The last connection of an event stream that ended without a failure',
    ),
    lastPollAt: nullable(Instant, 'Last successful poll'),
    failures: Type.Integer({ minimum: 0, description: 'Consecutive failures' }),
    failingSince: nullable(Instant),
    degradedSince: nullable(Instant, 'First failure of the time in which it is degraded'),
    nextRetryAt: nullable(Instant),
    retries: nullable(
      Type.Object({ left: Count, perDay: Count, resetsAt: Instant }),
      'While it fails: retries before the next scheduled poll that are left today for its host, in the process that runs it',
    ),
    redirects: Type.Array(Hop, { description: 'Redirects before the last answer' }),
    resumes: nullable(Resumes),
    certificate: nullable(Certificate, "The TLS certificate of the URL's host"),
    lastError: nullable(
      Type.Object({
        code: Text,
        message: Text,
        body: Type.Optional(Type.String({ description: "Beginning of the answer's body, in one line" })),
        at: Instant,
      }),
      'Kept after recovery',
    ),
    refused: nullable(
      Type.Object({ lastHour: Count, reason: Text, at: Instant }),
      'Deliveries with a wrong signature: how many in the last hour, and the last one',
    ),
  },
  'The facts behind the status; null means it has not happened',
)

const Run = Type.Object({ worker: Text, epoch: Count, attempt: Count, since: Instant })
const Recent = Type.Object(
  {
    entries: Count,
    events: Count,
    polls: Count,
    errors: Count,
    compared: Count,
    changed: Count,
    wireBytes: Bytes,
    minutes: Type.Number({ description: 'Length of the period in minutes' }),
  },
  { description: 'Totals of the last minutes' },
)

export const Status = named('Status', {
  id: Id,
  name: Text,
  kind: Kind,
  desired: stream.desired,
  status: StatusName,
  verdict: Verdict,
  reason: Text,
  since: Instant,
  availability: Available,
  evidence: Evidence,
  run: nullable(Run, 'Current run and its worker; null if no worker runs the stream'),
  counts: Type.Object({ entries: Count, recent: Recent }),
})

export const Fleet = named('Fleet', {
  streams: Count,
  statuses: Type.Object(
    Object.fromEntries(STATUSES.map((status) => [status, Count])) as Record<StreamStatus, typeof Count>,
  ),
})

export const Matched = Type.Object({ matched: Count, changed: Count })

const TwinSide = named('TwinSide', {
  id: Id,
  name: Text,
  requests: Type.Integer({ minimum: 0, description: 'Answered polls, or connections' }),
  versions: Type.Integer({ minimum: 0, description: 'Documents and changes received' }),
  errors: Count,
  headBytes: Bytes,
  wireBytes: Bytes,
  totalBytes: Bytes,
})

export const Twin = named('Twin', {
  from: Instant,
  to: Instant,
  polling: TwinSide,
  streaming: TwinSide,
  saving: nullable(Type.Number(), '`saving` of the savings of the polled stream, over the whole window'),
  measuredSaving: nullable(
    Type.Number(),
    '1 − streaming / polling with gzip and validators, since the twin was created; null until something was polled',
  ),
  polledSaving: nullable(Type.Number(), '1 − streaming / polling as Weir does; null until data was received'),
})

const request = Type.Object({
  method: Text,
  url: Text,
  headers: Headers,
  bytes: Type.Optional(Type.Integer({ minimum: 0, description: 'Sent, including requests after redirects' })),
  count: Type.Optional(Type.Integer({ minimum: 2, description: 'Requests sent, if more than one' })),
})
const redirects = Type.Object({
  count: Count,
  headBytes: Bytes,
  bodyBytes: Bytes,
  hops: Type.Optional(Type.Array(Hop)),
})
const response = Type.Object({
  status: Count,
  headers: Headers,
  firstByteMs: Ms,
  durationMs: Type.Optional(Ms),
})

export const Entry = named(
  'Entry',
  {
    streamId: Id,
    seq: Type.Integer({ minimum: 1, description: 'Position in the log, without gaps' }),
    at: Instant,
    epoch: Type.Integer({ minimum: 0, description: 'Epoch of the run that wrote the entry' }),
    kind: choice(ENTRY_KINDS),
    event: Type.Optional(Text),
    eventId: Type.Optional(Text),
    wireBytes: Bytes,
    bodyBytes: { ...Bytes, description: 'Decoded content' },
    framingBytes: Type.Optional({
      ...Bytes,
      description: 'Decoded bytes around it: names of fields, line ends, comments',
    }),
    headBytes: Type.Optional(Bytes),
    plainBytes: Type.Optional(Bytes),
    gzipBytes: Type.Optional(Bytes),
    patchBytes: Type.Optional(Bytes),
    snapshotBytes: Type.Optional(Bytes),
    deflatedBytes: Type.Optional(Bytes),
    changed: Type.Optional(Type.Boolean()),
    hash: Type.Optional(Type.String({ description: 'SHA-256, as hex' })),
    request: Type.Optional(request),
    response: Type.Optional(response),
    redirects: Type.Optional(redirects),
    content: Type.Optional({
      ...choice(OTHER_CONTENTS),
      description:
        'What the response to a poll is, or the one that a 304 stands for, unless it is a document',
    }),
    data: Type.Optional({ ...Json, description: 'JSON for snapshot, patch, error and gap; otherwise text' }),
  },
  'Log entry of a stream',
)

const cursor = (description: string) => nullable(Type.Integer({ minimum: 0 }), description)
export const LogPage = named('LogPage', {
  items: Type.Array(Entry),
  before: cursor('`before` parameter for older entries; null if there are none'),
  after: cursor('`after` parameter for newer entries; null if there are none'),
})

/** Entries that a subscriber has missed and won't receive. */
export const EntryGap = Type.Object({
  from: Type.Union([Type.Integer(), Type.String()]),
  to: Type.Integer(),
  reason: choice(SKIP_REASONS),
})
