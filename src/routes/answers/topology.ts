import { Type } from '@sinclair/typebox'
import type { ServiceKind } from '../../core/graph.ts'
import { STATUSES } from '../../core/sets/statuses.ts'
import { Count, choice, Instant, Json, Ms, named, Text } from './types.ts'

const KINDS: Record<ServiceKind, true> = {
  service: true,
  database: true,
  queue: true,
  host: true,
  streams: true,
  proxy: true,
  subscribers: true,
  channel: true,
  archive: true,
  rest: true,
}

const Service = named('Service', {
  id: Text,
  name: Text,
  kind: choice(Object.keys(KINDS)),
  group: Type.Optional(Text),
  url: Type.Optional(Text),
  color: Text,
  status: Type.Optional(choice(STATUSES)),
  reason: Type.Optional(Text),
  href: Type.Optional(Type.String({ description: 'Path of its page in the console' })),
  reportedAt: Instant,
  node: Type.String({ description: 'Node ID in the Mermaid diagram' }),
})

const Call = named('Call', {
  from: Text,
  to: Text,
  count: Count,
  errors: Count,
  lastStatus: Type.Optional(Count),
  lastDurationMs: Type.Optional(Ms),
  calledAt: Type.Optional(Instant),
  isDeclared: Type.Optional(Type.Literal(true, { description: 'Somebody declared that it exists' })),
  recent: Type.Optional(
    Type.Object({
      rate: Type.Number({ minimum: 0, description: 'Calls per minute' }),
      errorShare: Type.Number({ minimum: 0, maximum: 1 }),
      p50Ms: Type.Optional(Ms),
      p95Ms: Type.Optional(Ms),
    }),
  ),
})

export const Declared = named('DeclaredTopology', {
  declaredAt: Instant,
  services: Type.Array(
    Type.Object({ id: Text, name: Text, kind: choice(Object.keys(KINDS)), group: Type.Optional(Text) }),
  ),
  calls: Type.Array(Type.Object({ from: Text, to: Text, count: Count })),
  text: Type.String({ description: 'What it was read from' }),
})

export const Graph = named('Graph', {
  version: Type.Integer({ minimum: 0, description: 'ID of the last event included' }),
  at: Type.Optional(Instant),
  services: Type.Array(Service),
  calls: Type.Array(Call),
})

export const Timeline = named('Timeline', {
  from: Instant,
  to: Instant,
  stepMs: Count,
  points: Type.Array(Type.Object({ at: Instant, calls: Count, errors: Count })),
})

export const Reported = Type.Object({ services: Count, calls: Count })

/** By event name. */
export const TOPOLOGY_EVENTS = {
  graph: Graph,
  change: Type.Object({
    version: Type.Optional(Count),
    services: Type.Optional(Type.Array(Service)),
    calls: Type.Optional(Type.Array(Call)),
    removedServices: Type.Optional(Type.Array(Text)),
    removedCalls: Type.Optional(Type.Array(Type.Tuple([Text, Text]))),
    joinedColors: Type.Optional(Count),
  }),
  gap: Type.Object({ from: Type.Unknown(), to: Type.Number() }),
}

export const Diagram = Type.Object({ diagram: Type.String({ description: 'A Mermaid flowchart' }) })
export const Colored = Type.Object({ message: Text })
export const SentThrough = Type.Object({
  status: Count,
  durationMs: Ms,
  body: { ...Json, description: 'JSON if the response was JSON, otherwise text' },
})
export const Faults = Type.Object(
  {},
  { additionalProperties: true, description: 'Faults that the service now injects' },
)
