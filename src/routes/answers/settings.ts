import { Type } from '@sinclair/typebox'
import { Bytes, Count, choice, Instant, named, nullable, Text } from './types.ts'

export const Settings = named('Settings', {
  version: Text,
  runtime: Text,
  role: choice(['all', 'web', 'worker']),
  startedAt: Instant,
  storage: Type.Object({ kind: choice(['embedded', 'postgres']), at: Text }),
  jobs: Type.Object({ kind: choice(['database', 'redis']), at: Text }),
  archive: nullable(Text, 'Archive location; null if not configured'),
  retention: Type.Object({
    days: Count,
    maxBytes: nullable(Bytes),
    maxEntries: nullable(Count),
    minutesDays: Count,
  }),
  processes: Type.Array(
    Type.Object({ name: Text, startedAt: Instant, seenAt: Instant, streams: Count, isThis: Type.Boolean() }),
  ),
  settings: Type.Array(
    Type.Object({
      key: Text,
      about: Text,
      value: nullable(Text),
      isGiven: Type.Boolean(),
      isSecret: Type.Boolean(),
      fallback: nullable(Text),
      example: nullable(Text),
    }),
  ),
})
