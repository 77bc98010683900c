import { Type } from '@sinclair/typebox'
import { type Answers, events } from './answer.ts'
import { PatchOperation } from './documents.ts'
import { choice, Instant, Json, named, Text } from './types.ts'

const ProxyError = named(
  'ProxyError',
  {
    family: choice(['subscription', 'server', 'source']),
    cause: Text,
    message: Text,
    status: Type.Integer({ description: '4xxxx for what was asked, 5xxxx for Weir, 7xxxx for the target' }),
    timestamp: Instant,
  },
  'Why there is nothing, or nothing new',
)

const streamed = events({
  data: Json,
  patch: Type.Array(PatchOperation),
  error: ProxyError,
  monitor: Json,
  gap: Json,
})

/** Refusals too are a stream, of one `error`: clients show nobody what any other answer says. */
export const PROXIED: Answers = {
  ...streamed,
  default: { description: 'There is none: a refusal is the event `error`' },
}
