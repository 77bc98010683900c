import { Type } from '@sinclair/typebox'
import { AVAILABILITY_WINDOW_NAMES, type AvailabilityWindow } from '../../core/availability.ts'
import { STEPS_MS, type Step } from '../../core/measures.ts'
import { BASELINE_NAMES } from '../../core/saved.ts'
import { Bytes, Count, choice, Instant, Ms, named, nullable, Text } from './types.ts'

const span = { from: Instant, to: Instant, step: choice(Object.keys(STEPS_MS) as Step[]) }
const Rate = nullable(Type.Number({ minimum: 0, maximum: 1 }), 'changed / compared; null without comparisons')
/** A fraction of the baseline; negative for a loss. */
const Share = nullable(Type.Number({ maximum: 1 }))
const Signed = Type.Integer({ description: 'Bytes' })

const sizes = {
  entries: Count,
  polls: Count,
  notModified: Count,
  errors: Count,
  wireBytes: Bytes,
  bodyBytes: Bytes,
  headBytes: Bytes,
  patchBytes: Bytes,
}
export const Size = named('Size', {
  ...span,
  total: Type.Object(sizes),
  steps: Type.Array(Type.Object({ at: Instant, ...sizes })),
})

const compared = { compared: Count, changed: Count, changeRate: Rate }
const PerHour = Type.Number({ minimum: 0, description: 'Changes per hour' })
const Frequency = named('Frequency', {
  perHour: nullable(PerHour, 'Null if nearly every poll found a change'),
  low: PerHour,
  high: nullable(PerHour, 'Null if unknown'),
  words: Text,
})
export const Change = named('Change', {
  ...span,
  ...compared,
  frequency: nullable(Frequency, 'How often it changed; null without comparisons'),
  streamRank: Type.Object({
    rank: nullable(Type.Number({ minimum: 0, maximum: 100 })),
    samples: Count,
    time: nullable(Type.Number({ minimum: 0, maximum: 1 })),
    size: nullable(Type.Number({ minimum: 0, maximum: 1 })),
    change: nullable(Type.Number({ minimum: 0, maximum: 1 })),
  }),
  freshness: nullable(Type.Number({ minimum: 0, maximum: 1 })),
  suggestedIntervalMs: nullable(Count),
  missed: Type.Array(Type.Object({ intervalMs: Count, share: Type.Number({ minimum: 0, maximum: 1 }) })),
  lastChangedAt: nullable(Instant),
  paths: Type.Array(
    Type.Object({ path: Text, changes: Count, share: Type.Number({ minimum: 0, maximum: 1 }) }),
  ),
  steps: Type.Array(Type.Object({ at: Instant, ...compared })),
  hourOfWeek: Type.Array(Type.Object({ hour: Type.Integer({ minimum: 0, maximum: 167 }), ...compared })),
})

const shares = { plain: Share, gzip: Share, conditional: Share }
const Baselines = Type.Object({ plain: Bytes, gzip: Bytes, conditional: Bytes })
const Streaming = Type.Object({
  bytes: Bytes,
  frameBytes: Bytes,
  heartbeatBytes: Bytes,
  connectBytes: Bytes,
  chunkBytes: Bytes,
})
const NetworkSide = Type.Object({
  bytes: Bytes,
  payloadBytes: Bytes,
  requestBytes: Bytes,
  packetBytes: Bytes,
  tlsBytes: Bytes,
  requests: Count,
  packets: Count,
  connections: Type.Number({ minimum: 0, description: 'TCP connections; may be fractional' }),
})
const Network = Type.Object({
  polling: Type.Object({ plain: NetworkSide, gzip: NetworkSide, conditional: NetworkSide }),
  streaming: Type.Object({ plain: NetworkSide, gzip: NetworkSide }),
  clientBandwidthSavings: Type.Object(shares),
})
const Mean = Type.Number({ minimum: 0, description: 'Mean; may be fractional' })
const Measured = Type.Object({
  connections: Count,
  subscribers: nullable(Mean),
  wireBytes: Bytes,
  snapshots: Count,
  slow: Count,
})
export const Savings = named('Savings', {
  ...span,
  polls: Count,
  connections: Mean,
  headline: choice(BASELINE_NAMES),
  saving: nullable(Type.Number({ maximum: 1 }), '`clientBandwidthSavings` for the baseline in `headline`'),
  summary: nullable(Text, 'The headline in a sentence, with the estimate for the network'),
  median: Type.Object({ streams: Count, ...shares }),
  baselines: nullable(Baselines),
  streaming: nullable(Type.Object({ plain: Streaming, gzip: Streaming })),
  overheadBytes: nullable(Signed),
  clientBandwidthSavings: Type.Object(shares),
  network: nullable(Network, 'Estimated bytes on the network, requests and packet headers included'),
  serverBandwidthSavings: Type.Object({ subscribers: Mean, ...shares }),
  measured: nullable(Measured, 'Traffic to actual subscribers; null without subscribers'),
  reason: nullable(Text, 'Why values are missing'),
  steps: Type.Array(
    Type.Object({
      at: Instant,
      polls: Count,
      baselines: Baselines,
      streamingBytes: Bytes,
      streamingGzipBytes: Bytes,
    }),
  ),
})

const nullableCount = nullable(Count)
const availability = {
  share: nullable(Type.Number({ minimum: 0, maximum: 1 }), 'null while nothing is known'),
  basis: choice(['checks', 'time', 'mean']),
  streams: Type.Integer({ minimum: 0, description: 'Streams with a share' }),
  answered: nullableCount,
  unanswered: nullableCount,
  upMs: nullable(Ms),
  downMs: nullable(Ms),
  observedFrom: nullable(
    Instant,
    'From when on anything is known within the window: later than its beginning for a young stream',
  ),
  unknownMs: nullable(Ms, 'Weir did not follow the stream, or its notifications were silenced'),
}
const Window = Type.Object(availability)
const windows = Type.Object(
  Object.fromEntries(AVAILABILITY_WINDOW_NAMES.map((name) => [name, Window])) as Record<
    AvailabilityWindow,
    typeof Window
  >,
)
export const Availability = named('Availability', {
  ...span,
  ...availability,
  windows,
  steps: Type.Array(Type.Object({ at: Instant, ...availability })),
})
export const FleetAvailability = named('FleetAvailability', { windows })

export const Latency = named('Latency', {
  ...span,
  steps: Type.Array(Type.Object({ at: Instant, answers: Count, p50Ms: Ms, p95Ms: Ms })),
})

/** A fraction of a server's CPU; negative for a loss. */
const CpuShare = Type.Number({ maximum: 1 })
const Cost = Type.Object({ cpuMs: Ms, leastMs: Ms, mostMs: Ms })
const Saved = Type.Object({ share: CpuShare, least: CpuShare, most: CpuShare, isClear: Type.Boolean() })
const byBaseline = <T extends typeof Cost | typeof Saved>(each: T) =>
  Type.Object({ plain: each, gzip: each, conditional: each })

export const CpuTrial = named('CpuTrial', {
  at: Instant,
  subscribers: Count,
  seconds: Count,
  recorded: Type.Object({ from: Instant, to: Instant, polls: Count, changes: Count }),
  clients: Type.Object({ polling: Count, streaming: Count }),
  polling: byBaseline(Cost),
  streaming: Cost,
  saved: byBaseline(Saved),
})
