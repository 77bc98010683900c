import type { CountSpec } from '../service/counting.ts'

/** One simulated service before it is started. */
export interface ServiceSpec {
  name: string
  /** The address it listens on, such as `127.0.0.1`. */
  host: string
  /** 0 uses a free port. */
  port: number
  /** A leaf responds after this time; a node waits this long for each of its services. In milliseconds. */
  timeoutMs: number
  /** The services it calls: names from earlier in the list, or `host:port`. A service without any is a leaf. */
  services: string[]
  /** Its definition in a graph file; if omitted, it behaves like those of the sample graph. */
  lab?: LabSpec
  /** What it counts by the clock, instead of reporting activations. Default: nothing. */
  count?: CountSpec
}

export const SERVICE_KINDS = ['service', 'database', 'queue'] as const

/** The behavior of a service from a graph file. docs/simulation.md describes each field. */
export interface LabSpec {
  kind: (typeof SERVICE_KINDS)[number]
  /** The group it is drawn in. Default: none. */
  group?: string
  /** Its own work before it calls others. */
  latencyMs: Distribution
  /** Share of its activations that fail on their own, 0 to 1. */
  errorRate: number
  /** Weights by status. */
  errorCodes: Record<string, number>
  /** Default: none. */
  rateLimit?: RateLimitSpec
  payloadBytes: Distribution
  /** Sequential steps; the calls of one step are concurrent. */
  steps: CallSpec[][]
  /** Default: none. */
  feed?: FeedSpec
}

/** A distribution: 50, 90 and 99% of its values are at most these. Ascending. */
export interface Distribution {
  p50: number
  p90: number
  p99: number
}

export interface RateLimitSpec {
  perSecond: number
  /** Activations that may arrive at once. Default: `perSecond`, at least 1. */
  burst?: number
  /** `Retry-After` of a refusal, in whole seconds. Default: until there is capacity, at least 1. */
  retryAfterSeconds?: number
}

export interface CallSpec {
  /** A name in the graph file; an address once the services have started. */
  service: string
  /** Timeout of each attempt, in milliseconds. */
  timeoutMs: number
  /** Attempts after a failed first one. */
  retries: number
  /** Wait before the first retry, in milliseconds; doubles with each further one. */
  backoffMs: number
  /** Probability that an activation makes this call. */
  probability: number
  /** Whether the caller succeeds without it. */
  optional: boolean
}

/** A document that changes by the clock: `GET /feed` returns all of it, `/events` the changes. */
export interface FeedSpec {
  /** Time between possible changes, in milliseconds. */
  intervalMs: number
  items: number
  itemBytes: number
  /** Share of the intervals in which an item changes, 0 to 1. */
  changeRate: number
}

export const SHAPES = ['steady', 'poisson', 'burst', 'daily'] as const

/** A traffic generator. */
export interface Traffic {
  /** The service to activate. */
  entry: string
  /** On average; 0 for none. */
  perMinute: number
  /** Default: `steady`. */
  shape?: (typeof SHAPES)[number]
  /** Maximum concurrent activations; beyond it they are skipped. Default 25. */
  concurrency?: number
}

/** Services and their traffic, ready to start. */
export interface SimGraph {
  services: ServiceSpec[]
  traffic: Traffic[]
  /** Makes random choices repeatable, unless the command line sets another seed. */
  seed?: number
}

/** The service of the sample graph that people, and the background traffic, activate. */
export const ENTRY = 'UI'

export const DEFAULT_PORT_BASE = 5010

export const LOOPBACK = '127.0.0.1'

/** Callees before callers, which is the order to start them in. */
const SAMPLE: readonly (Omit<ServiceSpec, 'host' | 'port'> & { portOffset: number })[] = [
  { name: 'T', portOffset: 0, timeoutMs: 1_000, services: [] },
  { name: 'DS', portOffset: 1, timeoutMs: 800, services: [] },
  { name: 'TM', portOffset: 2, timeoutMs: 1_500, services: [] },
  { name: 'H', portOffset: 7, timeoutMs: 1_000, services: [] },
  { name: 'V', portOffset: 3, timeoutMs: 4_000, services: ['T', 'DS', 'TM'] },
  { name: 'P', portOffset: 4, timeoutMs: 4_000, services: ['V', 'H'] },
  { name: 'D', portOffset: 5, timeoutMs: 4_000, services: ['P'] },
  { name: 'UI', portOffset: 6, timeoutMs: 4_000, services: ['D'] },
]

/** The highest port base that leaves a port for every service of the sample graph. */
export const MAX_PORT_BASE = 65_535 - Math.max(...SAMPLE.map(({ portOffset }) => portOffset))

/** The eight services of the sample graph. With a base of 0, each gets a free port. */
export function sampleGraph(portBase: number = DEFAULT_PORT_BASE): ServiceSpec[] {
  return SAMPLE.map(({ portOffset, ...service }) => ({
    ...service,
    host: LOOPBACK,
    port: portBase === 0 ? 0 : portBase + portOffset,
  }))
}
