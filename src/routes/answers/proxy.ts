import { Type } from '@sinclair/typebox'
import { answer, events } from './answer.ts'
import { PatchOperation } from './documents.ts'
import { choice, Instant, Json, named, Text } from './types.ts'

const ProxyError = named(
  'ProxyError',
  {
    family: choice(['subscription', 'server', 'source']),
    cause: Text,
    message: Text,
    status: Type.Integer({
      description: '4xxxx: invalid request, 5xxxx: error in Weir, 7xxxx: error of the target API',
    }),
    timestamp: Instant,
  },
  'Why no data, or no new data, is available',
)

const streamed = events({
  data: Json,
  patch: Type.Array(PatchOperation),
  error: ProxyError,
  monitor: Json,
  gap: Json,
})

/** Errors are sent as an event stream with one `error`, because EventSource hides other responses from its users. */
export const PROXIED = {
  ...streamed,
  default: answer({ description: 'Errors are sent as the event `error`' }),
}
