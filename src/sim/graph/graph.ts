import type { CountSpec } from '../service/counting.ts'

/** One simulated service, before it is started. */
export interface ServiceSpec {
  name: string
  /** The address it listens on, e.g. `127.0.0.1`. */
  host: string
  /** 0 takes a free one. */
  port: number
  /** A leaf answers after this; a node waits this long for each of its services. In milliseconds. */
  timeoutMs: number
  /** Whom it calls: the names of services before it in the list, or `host:port`. None makes it a leaf. */
  services: string[]
  /** What a graph file says of it; left out, it works as the sample graph's do. */
  lab?: LabSpec
  /** What it counts and tells by the clock, in place of its activations. Default none. */
  count?: CountSpec
}

export const KINDS = ['service', 'database', 'queue'] as const

/** How a service of a graph file works. See docs/simulation.md for what each field does. */
export interface LabSpec {
  kind: (typeof KINDS)[number]
  /** What it is drawn with. Default none. */
  group?: string
  /** Its own work, before it calls anybody. */
  latencyMs: Quantiles
  /** Part of its activations that fail by themselves, 0 to 1. */
  errorRate: number
  /** Weights, by status. */
  errorCodes: Record<string, number>
  /** Default none. */
  rateLimit?: RateLimit
  payloadBytes: Quantiles
  /** One after another; the calls of one step at once. */
  steps: CallSpec[][]
  /** Default none. */
  feed?: FeedSpec
}

/** A distribution, by what half, 90 % and 99 % of its values are not above. Ascending. */
export interface Quantiles {
  p50: number
  p90: number
  p99: number
}

export interface RateLimit {
  perSecond: number
  /** Activations that may come at once. Default `perSecond`, at least 1. */
  burst?: number
  /** What a refused one is told to wait, in whole seconds. Default until there is room again, at least 1. */
  retryAfterSeconds?: number
}

export interface CallSpec {
  /** A name in the graph file, an address once the services have started. */
  service: string
  /** For each try, in milliseconds. */
  timeoutMs: number
  /** Tries after the first one that failed. */
  retries: number
  /** Before the first of them, in milliseconds; doubled with each. */
  backoffMs: number
  /** Whether an activation makes this call at all, 0 to 1. */
  probability: number
  /** Whether the caller does well without it. */
  optional: boolean
}

/** A document that changes by the clock: `GET /feed` has all of it, `/events` what changed. */
export interface FeedSpec {
  /** Between two looks at whether it changes, in milliseconds. */
  intervalMs: number
  items: number
  itemBytes: number
  /** Part of the intervals in which one item changes, 0 to 1. */
  changeRate: number
}

export const SHAPES = ['steady', 'poisson', 'burst', 'daily'] as const

/** Activations that come by themselves. */
export interface Traffic {
  /** The service that is activated. */
  entry: string
  /** On average; 0 is none. */
  perMinute: number
  /** Default `steady`. */
  shape?: (typeof SHAPES)[number]
  /** Activations under way at a time; at the bound one is left out. Default 25. */
  concurrency?: number
}

/** Services and their traffic, ready to start. */
export interface Graph {
  services: ServiceSpec[]
  traffic: Traffic[]
  /** Repeats the random choices, unless the command line has another. */
  seed?: number
}

/** The service of the sample graph that people, and the background traffic, activate. */
export const ENTRY = 'UI'

export const DEFAULT_PORT_BASE = 5010

export const LOOPBACK = '127.0.0.1'

/** Whoever is called stands before its callers: the order to start them in. */
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

/** The highest port base that leaves every service of the sample graph a port. */
export const MAX_PORT_BASE = 65_535 - Math.max(...SAMPLE.map(({ portOffset }) => portOffset))

/** The eight services of the sample graph. A base of 0 gives every one a free port. */
export function sampleGraph(portBase: number = DEFAULT_PORT_BASE): ServiceSpec[] {
  return SAMPLE.map(({ portOffset, ...service }) => ({
    ...service,
    host: LOOPBACK,
    port: portBase === 0 ? 0 : portBase + portOffset,
  }))
}
