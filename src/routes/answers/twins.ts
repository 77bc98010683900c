import { Type } from '@sinclair/typebox'
import { DESIRED } from '../../../drizzle/schema.ts'
import { Bytes, Count, choice, Id, Instant, named, nullable, Text } from './types.ts'

const sums = {
  plainBytes: Bytes,
  gzipBytes: Bytes,
  conditionalBytes: Bytes,
  polledBytes: Bytes,
  streamedBytes: Bytes,
  polls: Count,
  changes: Count,
  saving: nullable(Type.Number(), '`saving` of the savings of the polled streams; null without polls'),
  networkSaving: nullable(Type.Number(), 'The same on the network, estimated'),
  measuredSaving: nullable(
    Type.Number(),
    '1 − streamedBytes / conditionalBytes, since the twin was created; null before the first poll',
  ),
}

const TwinPair = named('TwinPair', {
  id: Id,
  name: Text,
  url: Text,
  intervalMs: Type.Integer({ minimum: 1, description: 'Time between two polls, in milliseconds' }),
  desired: choice(DESIRED),
  streamingId: Type.String({ format: 'uuid', description: 'ID of the streaming twin' }),
  since: Type.String({ format: 'date-time', description: 'When the twin was created' }),
  ...sums,
})

export const Twins = named('Twins', {
  from: Instant,
  to: Instant,
  count: Count,
  isCut: Type.Boolean(),
  total: Type.Object({
    ...sums,
    median: nullable(Type.Number(), 'Median of the `saving` of all pairs'),
  }),
  items: Type.Array(TwinPair),
  next: nullable(Type.String(), '`after` parameter for the next page; null on the last page'),
})
