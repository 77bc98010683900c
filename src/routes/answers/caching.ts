import { Type } from '@sinclair/typebox'
import { Count, choice, Instant, Ms, named, nullable, Text } from './types.ts'

const Headers = Type.Object({
  at: Instant,
  lifetimeMs: nullable(Ms, "How long a client's cache may reuse the answer; null if its headers don't say"),
  sharedLifetimeMs: nullable(Ms, 'The same for shared caches'),
  ageMs: Ms,
  directives: Type.Array(Text, { description: 'Directives of Cache-Control, without values' }),
  etag: Type.Boolean(),
  lastModified: Type.Boolean(),
})

export const Cache = named('Cache', {
  from: Instant,
  to: Instant,
  polls: Count,
  cacheHits: Type.Integer({ minimum: 0, description: 'Answers from a shared cache' }),
  fresh: Type.Integer({ minimum: 0, description: 'Polls while the last answer was fresh' }),
  freshChanged: Type.Integer({ minimum: 0, description: 'Those of them that found a change' }),
  notModified: Count,
  headers: nullable(Headers, 'Of the last answer; null without one'),
  validators: choice(['honored', 'ignored', 'none', 'unknown']),
  suggestedMaxAge: nullable(Count, 'Seconds; null if unknown'),
  reason: nullable(Text, 'Why values are missing'),
})
