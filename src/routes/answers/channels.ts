import { Type } from '@sinclair/typebox'
import { deliveries } from '../../../drizzle/schema.ts'
import type { SendErrorCode } from '../../channels/kind.ts'
import { KIND_NAMES } from '../../channels/kinds.ts'
import { SEVERITIES } from '../../channels/message.ts'
import { Count, choice, Headers, Id, Instant, Json, Ms, named, nullable, Text } from './types.ts'

const SEND_ERRORS: Record<SendErrorCode, true> = {
  not_allowed: true,
  host_unknown: true,
  connection_failed: true,
  timeout: true,
  interrupted: true,
  bad_status: true,
  refused: true,
  bad_tls: true,
}
const SendError = nullable(
  Type.Object({ code: choice(Object.keys(SEND_ERRORS)), message: Text }),
  'Why delivery failed',
)
const DeliveryStatus = choice(deliveries.status.enumValues)

const LastDelivery = Type.Object({
  id: Id,
  type: Text,
  status: DeliveryStatus,
  attempts: Count,
  at: Instant,
  nextAttemptAt: nullable(Instant),
  error: SendError,
})

const channel = {
  id: Id,
  name: Text,
  kind: choice(KIND_NAMES),
  target: Type.String({ description: 'Destination host' }),
  config: Type.Record(Type.String(), Type.Unknown(), { description: 'Configuration, with secrets hidden' }),
  tags: Type.Array(Text),
  isDefault: Type.Boolean(),
  suspendedAt: nullable(Instant),
  suspendedReason: nullable(Text),
  createdAt: Instant,
  updatedAt: Instant,
}
/** A channel right after it was created or changed. */
export const WrittenChannel = named('WrittenChannel', channel)
export const Channel = named('Channel', {
  ...channel,
  lastDelivery: nullable(LastDelivery, 'Latest delivery'),
})

const Response = nullable(
  Type.Object({ status: Count, headers: Headers, body: Text }),
  'Null if no response arrived; the body is truncated',
)
const request = { method: Text, url: Text, headers: Headers, body: Text }

export const Tried = named(
  'Tried',
  {
    deliveryId: Id,
    result: choice(['delivered', 'failed']),
    error: SendError,
    durationMs: Ms,
    request: nullable(Type.Object(request), 'Without secrets; null if nothing was sent'),
    response: Response,
  },
  'Result of the test message',
)

const StreamLink = Type.Object({ id: Id, name: Text, url: Text })
const Message = named('Message', {
  type: Type.String({
    description: 'Message type, such as notify, test, stream.stalled or incident.resolved',
  }),
  title: Text,
  text: Text,
  at: Instant,
  severity: choice(SEVERITIES),
  url: Type.Optional(Text),
  incidentId: Type.Optional(Id),
  streams: Type.Array(StreamLink),
  streamCount: Count,
  data: Type.Optional(Json),
})
const Attempt = Type.Object({
  at: Instant,
  durationMs: Ms,
  request: Type.Partial(Type.Object(request)),
  response: Response,
  error: SendError,
})
export const Delivery = named('Delivery', {
  id: Id,
  channelId: Id,
  incidentId: nullable(Id),
  type: Text,
  message: Message,
  status: DeliveryStatus,
  nextAttemptAt: nullable(Instant),
  createdAt: Instant,
  endedAt: nullable(Instant),
  attempts: Type.Array(Attempt),
})

export const Replayed = Type.Object({ id: Id, channelId: Id, status: choice(['pending']) })

export const Notified = named(
  'Notified',
  {
    channels: Type.Array(Type.Object({ id: Id, name: Text, kind: Text, deliveryId: Id })),
    suspended: Type.Array(Type.Object({ id: Id, name: Text, reason: nullable(Text) }), {
      description: 'Suspended channels that were skipped',
    }),
  },
  'Channels that were notified',
)
