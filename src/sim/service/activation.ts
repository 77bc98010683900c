import type { Random } from '../random.ts'
import type { Behavior } from './behavior.ts'
import { bodyText, parseObject } from './body.ts'
import { Trace } from './call-tree.ts'

/** The largest body of an activation; larger ones are refused. */
export const MAX_BODY_BYTES = 65_536
/** The longest `item` and `color`: they are kept in the event buffer and passed on. */
const MAX_TEXT_CHARS = 100
/** How long a node shows its result before it turns white again. */
export const SETTLE_MS = 200

export const WHITE = 'white'
export const GOOD = '#00ffcc'
export const BAD = 'red'

export const SERVICES_FAILED = 'One or more services failed'
export const FAILED_ITSELF = 'Failed on its own, by its error rate'

const RATE_LIMITED_STATUS = 429
/** What a reset connection counts as; no client receives it. */
const RESET_STATUS = 500

/** A valid `POST /activate`. */
export interface Activation {
  item: string | undefined
  /** Default: `white`. */
  color: string
  /** The body as received, to pass it on unchanged. */
  body: string
}

export interface ServiceAnswer {
  status: number
  body: object
  headers?: Record<string, string>
  /** Closes the connection instead of responding. */
  reset?: true
}

/**
 * Does a service's work.
 * @throws AbortError if the service closes meanwhile.
 */
export type Activate = (activation: Activation) => Promise<ServiceAnswer>

/** The result of an activation, without its call tree. */
export interface ActivationOutcome {
  status: number
  body?: object
  /** Why it failed, for people. */
  error?: string
}

/** The work itself; it draws from `random` and records its calls in `trace`. */
export type ServiceWork = (activation: Activation, trace: Trace, random: Random) => Promise<ActivationOutcome>

interface WorkOptions {
  behavior: Behavior
  /** Reports the service's color to Weir; never waits, never fails. */
  show: (color: string) => void
  sleep: (ms: number) => Promise<void>
}

/** Makes a call and returns the status that counts; never fails. */
export type MakeCall = (address: string, body: string, trace: Trace, attempt?: number) => Promise<number>

/** Wraps the work with what all services have: rate limit, call tree, payload, reset. */
export function activation(
  work: ServiceWork,
  {
    name,
    behavior,
    now,
    random,
  }: {
    name: string
    behavior: Behavior
    now: () => number
    /** The random numbers of the next activation. */
    random: () => Random
  },
): Activate {
  return async (activation) => {
    const trace = new Trace(name, now)
    const retryAfterSeconds = behavior.admit(now())
    if (retryAfterSeconds !== undefined) return rateLimited(trace, retryAfterSeconds)
    const draws = random()
    const { status, body = {}, error } = await work(activation, trace, draws)
    // Evaluated here because later activations don't get this far.
    if (behavior.resets) return { status: RESET_STATUS, body: {}, reset: true }
    const payload = behavior.payload(draws)
    const answer = {
      status,
      ...body,
      ...(error === undefined ? {} : { error }),
      tree: trace.finish(status, error),
    }
    return { status, body: payload === undefined ? answer : { ...answer, payload } }
  }
}

/** A service without callees: it picks a status and returns it after its latency. */
export function leaf({ behavior, show, sleep }: WorkOptions): ServiceWork {
  return async (_, __, random) => {
    const failure = behavior.failure(random)
    const latencyMs = behavior.latencyMs(random)
    show(failure === undefined ? 'green' : BAD)
    await sleep(latencyMs)
    show(WHITE)
    return { status: failure ?? 200 }
  }
}

/** A service with callees: it calls them all at once and is as good as the worst of them. */
export function node({
  addresses,
  call,
  behavior,
  show,
  sleep,
}: WorkOptions & {
  /** The services it calls, as `host:port`. */
  addresses: string[]
  call: MakeCall
}): ServiceWork {
  return async ({ color, body }, trace, random) => {
    show(color)
    await sleep(behavior.latencyMs(random))
    const failure = behavior.failure(random)
    const statuses =
      failure === undefined ? await Promise.all(addresses.map((address) => call(address, body, trace))) : []
    const good = failure === undefined && statuses.every((status) => status === 200)
    show(good ? GOOD : BAD)
    await sleep(SETTLE_MS)
    show(WHITE)
    if (failure !== undefined) return { status: failure, error: FAILED_ITSELF }
    if (good) return { status: 200, body: { message: 'All services responded successfully' } }
    const responses = Object.fromEntries(addresses.map((address, position) => [address, statuses[position]]))
    return { status: 500, body: { responses }, error: SERVICES_FAILED }
  }
}

function rateLimited(trace: Trace, retryAfterSeconds: number): ServiceAnswer {
  const error = 'Rate limit exceeded'
  const tree = trace.finish(RATE_LIMITED_STATUS, error)
  return {
    status: RATE_LIMITED_STATUS,
    body: { status: RATE_LIMITED_STATUS, error, tree },
    headers: { 'Retry-After': String(retryAfterSeconds) },
  }
}

/** Parses an activation, or returns the response that says why it isn't one. */
export async function readActivation(request: Request): Promise<Activation | { refusal: ServiceAnswer }> {
  let body: string | undefined
  try {
    body = await bodyText(request.body, MAX_BODY_BYTES)
  } catch {
    return refusal(400, 'Body is not valid UTF-8')
  }
  if (body === undefined) return refusal(413, `Body is larger than ${MAX_BODY_BYTES} bytes`)
  const fields = parseObject(body)
  if (fields === undefined) return refusal(400, 'Body is not a JSON object')
  const { item, color = WHITE } = fields
  if (!isShortText(color)) return refusal(400, `color must be text of at most ${MAX_TEXT_CHARS} characters`)
  if (item !== undefined && !isShortText(item)) {
    return refusal(400, `item must be text of at most ${MAX_TEXT_CHARS} characters`)
  }
  return { item, color, body }
}

function isShortText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MAX_TEXT_CHARS
}

function refusal(status: number, error: string): { refusal: ServiceAnswer } {
  return { refusal: { status, body: { error } } }
}
