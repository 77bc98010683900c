import { Type } from '@sinclair/typebox'
import { DESIRED, ENTRY_KINDS, KINDS } from '../../../drizzle/schema.ts'
import { VERDICTS } from '../../core/judging/verdict.ts'
import { Bytes, Count, choice, Headers, Id, Instant, Json, Ms, named, nullable, Text } from './types.ts'

const Verdict = choice(VERDICTS)
const Kind = choice(KINDS)
const retention = Type.Partial(Type.Object({ maxAgeMs: Count, maxEntries: Count, maxBytes: Bytes }))

const stream = {
  id: Id,
  name: Text,
  kind: Kind,
  url: Text,
  method: Text,
  headers: Type.Record(Type.String(), Type.String(), { description: 'Names; the values are hidden' }),
  body: nullable(Text),
  intervalMs: Type.Integer({ minimum: 1, description: 'Time between two polls, in milliseconds' }),
  silenceMs: nullable(Count, 'Silence that is allowed, in milliseconds; null: learnt'),
  payloadPointer: Text,
  ignorePaths: Type.Array(Text),
  arrayKeys: Type.Array(Text),
  tags: Type.Array(Text),
  notify: Type.Array(Text, { description: 'Channels that are responsible for it' }),
  retention: nullable(retention, 'Closer bounds of its own'),
  desired: choice(DESIRED, 'What its owner wants; `idle`: the next subscriber starts it'),
  alwaysOn: Type.Boolean({ description: 'Whether it runs on while nobody subscribes' }),
  proxied: Type.Boolean({ description: 'Whether the proxy made it' }),
  twinOf: nullable(Id, 'The polled stream that this one is compared with'),
  createdAt: Instant,
  updatedAt: Instant,
}

export const Stream = named('Stream', stream, 'A registered API')

export const ChangedStream = named(
  'ChangedStream',
  {
    ...stream,
    droppedHeaders: Type.Array(Text, {
      description: 'Names of the headers that are no longer sent because the URL leads to another origin',
    }),
  },
  'A stream after a change',
)

export const ListedStream = named(
  'ListedStream',
  { ...stream, verdict: Verdict, reason: Text, since: Instant },
  'A stream with what Weir concludes of it',
)

const Evidence = named(
  'Evidence',
  {
    phase: choice(['idle', 'connecting', 'open', 'waiting']),
    phaseSince: nullable(Instant),
    lastByteAt: nullable(Instant, 'Heartbeats and comments included'),
    lastHeartbeatAt: nullable(Instant),
    lastEventAt: nullable(Instant, 'Last event, or changed document'),
    lastPollAt: nullable(Instant, 'Last poll that was answered as it should be'),
    failures: Type.Integer({ minimum: 0, description: 'Since the last success' }),
    failingSince: nullable(Instant),
    nextRetryAt: nullable(Instant),
    lastError: nullable(Type.Object({ code: Text, message: Text, at: Instant }), 'Kept after recovery'),
  },
  'What the verdict is drawn from; null is what has not happened',
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
    minutes: Type.Number({ description: 'That it was taken over' }),
  },
  { description: 'Sums of the last minutes' },
)

export const Status = named('Status', {
  id: Id,
  name: Text,
  kind: Kind,
  desired: stream.desired,
  verdict: Verdict,
  reason: Text,
  since: Instant,
  evidence: Evidence,
  run: nullable(Run, 'Who holds the stream'),
  counts: Type.Object({ entries: Count, recent: Recent }),
})

export const Fleet = named('Fleet', {
  streams: Count,
  verdicts: Type.Object(Object.fromEntries(VERDICTS.map((verdict) => [verdict, Count]))),
})

export const Matched = Type.Object({ matched: Count, changed: Count })

const TwinSide = named('TwinSide', {
  id: Id,
  name: Text,
  requests: Type.Integer({ minimum: 0, description: 'Polls that were answered, or connections' }),
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
  saving: nullable(Type.Number(), '1 − streaming / polling; null before anything was received'),
})

const request = Type.Object({ method: Text, url: Text, headers: Headers })
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
    seq: Type.Integer({ minimum: 1, description: 'Position in the log, without holes' }),
    at: Instant,
    epoch: Type.Integer({ minimum: 0, description: 'Of the run that wrote it' }),
    kind: choice(ENTRY_KINDS),
    event: Type.Optional(Text),
    eventId: Type.Optional(Text),
    wireBytes: Bytes,
    bodyBytes: Bytes,
    headBytes: Type.Optional(Bytes),
    plainBytes: Type.Optional(Bytes),
    gzipBytes: Type.Optional(Bytes),
    patchBytes: Type.Optional(Bytes),
    snapshotBytes: Type.Optional(Bytes),
    deflatedBytes: Type.Optional(Bytes),
    changed: Type.Optional(Type.Boolean()),
    hash: Type.Optional(Type.String({ description: 'SHA-256, in hex' })),
    request: Type.Optional(request),
    response: Type.Optional(response),
    data: Type.Optional({ ...Json, description: 'JSON of snapshot, patch, error and gap; else text' }),
  },
  'One line of a stream’s log',
)

const cursor = (description: string) => nullable(Type.Integer({ minimum: 0 }), description)
export const LogPage = named('LogPage', {
  items: Type.Array(Entry),
  before: cursor('The `before` of the page of older entries; null where there are none'),
  after: cursor('The `after` of the page of newer entries; null where there are none'),
})

/** What subscribers to a stream's entries are told they won't get. */
export const EntryGap = Type.Object({
  from: Type.Union([Type.Integer(), Type.String()]),
  to: Type.Integer(),
  reason: choice(['unknown_id', 'too_many', 'not_kept']),
})
