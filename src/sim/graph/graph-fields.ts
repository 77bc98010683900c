import { SEED_LIMIT } from '../random.ts'
import { type CountSpec, MAX_KEPT, RESUMES, TELLS } from '../service/counting.ts'
import { MAX_CONCURRENCY, MAX_GENERATORS, MAX_PER_MINUTE } from '../traffic.ts'
import { choiceOf, type Fault, list, number, object, type Read, shown, text, truth, wrong } from './fields.ts'
import {
  type CallSpec,
  type Distribution,
  type FeedSpec,
  type LabSpec,
  type RateLimitSpec,
  SERVICE_KINDS,
  type ServiceSpec,
  SHAPES,
  type Traffic,
} from './graph.ts'
import { always } from './quantiles.ts'

/** The limit of Weir's topology. */
export const MAX_GRAPH_SERVICES = 500
const MAX_NAME_CHARS = 64
const MAX_HOST_CHARS = 253
export const MAX_PORT = 65_535
const MAX_WAIT_MS = 600_000
const MAX_PAYLOAD_BYTES = 1_048_576
const MAX_PER_SECOND = 10_000
const MAX_RETRY_AFTER_SECONDS = 3_600
const MAX_STEPS = 50
const MAX_PARALLEL = 50
const MAX_RETRIES = 10
const MAX_WEIGHT = 1_000_000
const MAX_ITEMS = 1_000
const MAX_ITEM_BYTES = 1_024
/** Feeds that change faster would keep the machine busy. */
const MIN_FEED_INTERVAL_MS = 100

const DEFAULT_TIMEOUT_MS = 2_000
const DEFAULT_BACKOFF_MS = 50
const DEFAULT_FEED: FeedSpec = { intervalMs: 5_000, items: 10, itemBytes: 64, changeRate: 0.5 }
const SECONDS_OF_MINUTE = 60
/** Placeholder for an invalid generator. */
const NO_TRAFFIC: Traffic = { entry: '', perMinute: 0 }

/** A service from a file, before the names of its calls are resolved. */
export type ServiceFields = Partial<
  Pick<ServiceSpec, 'name' | 'host' | 'port' | 'count'> & Omit<LabSpec, 'steps'> & { calls: CallSpec[][] }
>
type TrafficFields = Partial<Traffic & { to: string; perSecond: number }>

const name = text('a name', MAX_NAME_CHARS)
const share = number({ min: 0, max: 1 })
const waitMs = { min: 0, max: MAX_WAIT_MS }

const rateLimit = object<RateLimitSpec>(
  {
    perSecond: number({ min: 0.01, max: MAX_PER_SECOND }),
    burst: number({ min: 1, max: MAX_PER_SECOND, whole: true }),
    retryAfterSeconds: number({ min: 0, max: MAX_RETRY_AFTER_SECONDS, whole: true }),
  },
  ['perSecond'],
)

const feed = object<FeedSpec>({
  intervalMs: number({ min: MIN_FEED_INTERVAL_MS, max: MAX_WAIT_MS, whole: true }),
  items: number({ min: 1, max: MAX_ITEMS, whole: true }),
  itemBytes: number({ min: 1, max: MAX_ITEM_BYTES, whole: true }),
  changeRate: share,
})

const timeMs = number({ min: 10, max: MAX_WAIT_MS, whole: true })
const count = object<CountSpec>(
  {
    tells: choiceOf(TELLS),
    everyMs: timeMs,
    since: number({ min: 0, max: Number.MAX_SAFE_INTEGER, whole: true }),
    ids: truth,
    idStep: number({ min: 1, max: 1_000, whole: true }),
    uuids: truth,
    resume: choiceOf(RESUMES),
    keeps: number({ min: 1, max: MAX_KEPT, whole: true }),
    validators: truth,
    heartbeatMs: timeMs,
    retryMs: number({ ...waitMs, whole: true }),
  },
  ['tells'],
)

const callFields = object<CallSpec & { parallel: never }>(
  {
    service: name,
    timeoutMs: number({ min: 1, max: MAX_WAIT_MS, whole: true }),
    retries: number({ min: 0, max: MAX_RETRIES, whole: true }),
    backoffMs: number(waitMs),
    probability: share,
    optional: truth,
    parallel: (_, path, faults) => wrong(faults, path, 'must be the only field of a step, and not nested'),
  },
  ['service'],
)

const service = object<ServiceFields>(
  {
    name,
    group: text('a group', MAX_NAME_CHARS),
    kind: choiceOf(SERVICE_KINDS),
    host: text('a host', MAX_HOST_CHARS),
    port: number({ min: 0, max: MAX_PORT, whole: true }),
    latencyMs: quantiles(waitMs),
    errorRate: share,
    errorCodes,
    rateLimit: rateLimit as Read<RateLimitSpec>,
    payloadBytes: quantiles({ min: 0, max: MAX_PAYLOAD_BYTES }),
    feed: (value, path, faults) => {
      const fields = feed(value, path, faults)
      return fields && { ...DEFAULT_FEED, ...fields }
    },
    count: count as Read<CountSpec>,
    calls: list(inPlace(step, []), { max: MAX_STEPS }),
  },
  ['name'],
)

const trafficFields = object<TrafficFields>(
  {
    entry: (_, path, faults) => wrong(faults, path, 'unknown field; did you mean "to"?'),
    to: name,
    perMinute: number({ min: 0, max: MAX_PER_MINUTE }),
    perSecond: number({ min: 0, max: MAX_PER_MINUTE / SECONDS_OF_MINUTE }),
    shape: choiceOf(SHAPES),
    concurrency: number({ min: 1, max: MAX_CONCURRENCY, whole: true }),
  },
  ['to'],
)

export const file = object<{ seed: number; portBase: number; services: ServiceFields[]; traffic: Traffic[] }>(
  {
    seed: number({ min: 0, max: SEED_LIMIT - 1, whole: true }),
    portBase: number({ min: 0, max: MAX_PORT, whole: true }),
    services: list(inPlace(service, {}), { min: 1, max: MAX_GRAPH_SERVICES }),
    traffic: list(inPlace(generator, NO_TRAFFIC), { max: MAX_GENERATORS }),
  },
  ['services'],
)

/** Keeps the position of an invalid item, so that errors about later items have the right index. */
function inPlace<T>(read: Read<T>, otherwise: T): Read<T> {
  return (value, path, faults) => read(value, path, faults) ?? otherwise
}

/** A single value, or three quantiles. */
function quantiles(bounds: { min: number; max: number }): Read<Distribution> {
  const value = number(bounds)
  const three = object<Distribution>({ p50: value, p90: value, p99: value }, ['p50', 'p90', 'p99'])
  return (given, path, faults) => {
    if (typeof given === 'number') {
      const single = value(given, path, faults)
      return single === undefined ? undefined : always(single)
    }
    const { p50, p90, p99 } = three(given, path, faults) ?? {}
    if (p50 === undefined || p90 === undefined || p99 === undefined) return undefined
    if (p50 <= p90 && p90 <= p99) return { p50, p90, p99 }
    return wrong(faults, path, `expected p50 ≤ p90 ≤ p99, got ${p50}, ${p90}, ${p99}`)
  }
}

function errorCodes(value: unknown, path: string, faults: Fault[]): Record<string, number> | undefined {
  const weight = number({ min: 0.001, max: MAX_WEIGHT })
  const entries =
    typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value) : []
  if (entries.length === 0) {
    return wrong(faults, path, `expected weights by status, such as {500: 3, 503: 1}, got ${shown(value)}`)
  }
  for (const [code, given] of entries) {
    if (!/^[45]\d\d$/.test(code))
      wrong(faults, `${path}.${code.slice(0, 20)}`, 'expected a status from 400 to 599')
    else weight(given, `${path}.${code}`, faults)
  }
  return Object.fromEntries(entries) as Record<string, number>
}

/** One call, or several in parallel. */
function step(value: unknown, path: string, faults: Fault[]): CallSpec[] | undefined {
  if (typeof value !== 'object' || value === null || !('parallel' in value)) {
    const one = call(value, path, faults)
    return one && [one]
  }
  const parallel = list(call, { min: 1, max: MAX_PARALLEL })
  return object<{ parallel: CallSpec[] }>({ parallel }, ['parallel'])(value, path, faults)?.parallel
}

function call(value: unknown, path: string, faults: Fault[]): CallSpec | undefined {
  const fields =
    typeof value === 'string' ? { service: name(value, path, faults) } : callFields(value, path, faults)
  if (fields?.service === undefined) return undefined
  return {
    timeoutMs: DEFAULT_TIMEOUT_MS,
    retries: 0,
    backoffMs: DEFAULT_BACKOFF_MS,
    probability: 1,
    optional: false,
    ...fields,
    service: fields.service,
  }
}

export function generator(value: unknown, path: string, faults: Fault[]): Traffic | undefined {
  const fields = trafficFields(value, path, faults)
  if (fields === undefined) return undefined
  const { to = '', perMinute, perSecond, shape, concurrency } = fields
  if ((perMinute === undefined) === (perSecond === undefined)) {
    return wrong(faults, path, 'expected either perMinute or perSecond')
  }
  return {
    entry: to,
    perMinute: perMinute ?? (perSecond ?? 0) * SECONDS_OF_MINUTE,
    ...(shape === undefined ? {} : { shape }),
    ...(concurrency === undefined ? {} : { concurrency }),
  }
}
