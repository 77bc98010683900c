import type { Random } from '../random.ts'
import type { Behaviour } from './behaviour.ts'
import { parseObject, readText } from './body.ts'
import { Trace } from './call-tree.ts'

/** The largest body of an activation. At the bound it is refused. */
export const MAX_BODY_BYTES = 65_536
/** The longest `item` and `color`: they are kept in the event ring, and sent on. */
const MAX_TEXT_CHARS = 100
/** How long a node shows its result before it turns white again. */
export const SETTLE_MS = 200

export const WHITE = 'white'
export const GOOD = '#00ffcc'
export const BAD = 'red'

export const SERVICES_FAILED = 'One or more services failed'
export const FAILED_ITSELF = 'Failed by itself, as its error rate has it'

const RATE_LIMITED_STATUS = 429
/** What a connection that was reset counts as; nobody is sent it. */
const RESET_STATUS = 500

/** A valid `POST /activate`. */
export interface Activation {
  item: string | undefined
  /** Default `white`. */
  color: string
  /** The body as it came in, to send on unchanged. */
  body: string
}

export interface Answer {
  status: number
  body: object
  headers?: Record<string, string>
  /** The connection is closed instead of all this. */
  reset?: true
}

/** Does a service's work. @throws AbortError when the service closes meanwhile. */
export type Activate = (activation: Activation) => Promise<Answer>

/** What an activation comes to, before the call tree is put beside it. */
export interface Outcome {
  status: number
  body?: object
  /** Why it failed, for people. */
  error?: string
}

/** The work itself; it draws from `random`, and tells `trace` of its calls. */
export type Work = (activation: Activation, trace: Trace, random: Random) => Promise<Outcome>

interface WorkOptions {
  behaviour: Behaviour
  /** Tells the web program the service's colour; never waits, never fails. */
  show: (color: string) => void
  sleep: (ms: number) => Promise<void>
}

/** Makes a call and gives the status that counts; never fails. */
export type MakeCall = (address: string, body: string, trace: Trace, attempt?: number) => Promise<number>

/** Puts around some work what holds for all: the rate limit, the call tree, the payload, the reset. */
export function activation(
  work: Work,
  {
    name,
    behaviour,
    now,
    random,
  }: {
    name: string
    behaviour: Behaviour
    now: () => number
    /** What the next activation draws from. */
    random: () => Random
  },
): Activate {
  return async (activation) => {
    const trace = new Trace(name, now)
    const retryAfterSeconds = behaviour.admit(now())
    if (retryAfterSeconds !== undefined) return rateLimited(trace, retryAfterSeconds)
    const draws = random()
    const { status, body = {}, error } = await work(activation, trace, draws)
    // Asked for meanwhile: later activations don't get here.
    if (behaviour.resets) return { status: RESET_STATUS, body: {}, reset: true }
    const payload = behaviour.payload(draws)
    const answer = {
      status,
      ...body,
      ...(error === undefined ? {} : { error }),
      tree: trace.finish(status, error),
    }
    return { status, body: payload === undefined ? answer : { ...answer, payload } }
  }
}

/** A service without services: it picks a status, and answers it after its latency. */
export function leaf({ behaviour, show, sleep }: WorkOptions): Work {
  return async (_, __, random) => {
    const failure = behaviour.failure(random)
    const latencyMs = behaviour.latencyMs(random)
    show(failure === undefined ? 'green' : BAD)
    await sleep(latencyMs)
    show(WHITE)
    return { status: failure ?? 200 }
  }
}

/** A service with services: it asks all of them at once, and is as good as the worst of them. */
export function node({
  addresses,
  call,
  behaviour,
  show,
  sleep,
}: WorkOptions & {
  /** Whom it calls, as `host:port`. */
  addresses: string[]
  call: MakeCall
}): Work {
  return async ({ color, body }, trace, random) => {
    show(color)
    await sleep(behaviour.latencyMs(random))
    const failure = behaviour.failure(random)
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

function rateLimited(trace: Trace, retryAfterSeconds: number): Answer {
  const error = 'Rate limit exceeded'
  const tree = trace.finish(RATE_LIMITED_STATUS, error)
  return {
    status: RATE_LIMITED_STATUS,
    body: { status: RATE_LIMITED_STATUS, error, tree },
    headers: { 'Retry-After': String(retryAfterSeconds) },
  }
}

/** Reads an activation, or says why it isn't one. */
export async function readActivation(request: Request): Promise<Activation | { refusal: Answer }> {
  let body: string | undefined
  try {
    body = await readText(request.body, MAX_BODY_BYTES)
  } catch {
    return refusal(400, 'Body could not be read as UTF-8')
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

function refusal(status: number, error: string): { refusal: Answer } {
  return { refusal: { status, body: { error } } }
}
