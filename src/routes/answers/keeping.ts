import { Type } from '@sinclair/typebox'
import { Bytes, Count, choice, Day, Headers, Instant, Ms, named, nullable, Text } from './types.ts'

const Failure = nullable(Type.Object({ code: nullable(Text), message: Text }))
const DAY_STATES = ['running', 'done', 'failed'] as const

export const Archive = named('Archive', {
  configured: Type.Boolean(),
  target: nullable(Text, 'Archive location, as a URL'),
  days: Type.Array(
    Type.Object({
      day: Day,
      state: choice(DAY_STATES),
      progress: Type.Number({ minimum: 0, maximum: 1 }),
      objects: Count,
      bytes: Bytes,
      error: Failure,
      startedAt: Instant,
      endedAt: nullable(Instant),
    }),
  ),
  totals: Type.Object({ days: Count, objects: Count, bytes: Bytes }),
  next: nullable(Type.Object({ day: Day, closesAt: Instant })),
})

export const ArchiveTest = named('ArchiveTest', {
  ok: Type.Boolean(),
  steps: Type.Array(
    Type.Object({
      step: choice(['write', 'read', 'delete']),
      ok: Type.Boolean(),
      request: Type.Object({ method: Text, url: Text }),
      response: nullable(Type.Object({ status: Count, headers: Headers })),
      durationMs: Ms,
      error: nullable(Type.Object({ code: Text, message: Text })),
    }),
  ),
})

export const Storage = named('Storage', {
  days: Type.Array(
    Type.Object({ day: Day, bytes: Bytes, entries: Count, archive: nullable(choice(DAY_STATES)) }),
  ),
  log: Type.Object({ bytes: Bytes, entries: Count }),
  sums: Type.Object({ bytes: Bytes }),
  bounds: Type.Object({
    days: Type.Number(),
    maxEntries: nullable(Count),
    maxBytes: nullable(Bytes),
    minutesDays: Type.Number(),
  }),
  state: choice(['within', 'over']),
  blocked: nullable(Type.Object({ since: Instant, reason: Text, day: Day })),
  lastDrop: nullable(Type.Object({ at: Instant, day: Day, reason: Text, bytes: Bytes })),
  lastTrim: nullable(Instant),
})
