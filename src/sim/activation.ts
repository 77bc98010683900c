import { parseObject, readText } from './body.ts'
import { drawStatus, type Random } from './random.ts'

/** The largest body of an activation. At the bound it is refused. */
export const MAX_BODY_BYTES = 65_536
/** The longest `item` and `color`: they are kept in the event ring, and sent on. */
const MAX_TEXT_CHARS = 100
/** How long a node shows its result before it turns white again. */
export const SETTLE_MS = 200

const WHITE = 'white'
const GOOD = '#00ffcc'
const BAD = 'red'

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
}

/** Does a service's work. @throws AbortError when the service closes meanwhile. */
export type Activate = (activation: Activation) => Promise<Answer>

interface Behaviour {
  /** See {@link ServiceSpec.timeoutMs}. */
  timeoutMs: number
  /** Tells the web program the service's colour; never waits, never fails. */
  show: (color: string) => void
  sleep: (ms: number) => Promise<void>
}

/** A service without services: it picks a status, and answers it after its timeout. */
export function leaf({ timeoutMs, show, sleep, random }: Behaviour & { random: Random }): Activate {
  return async () => {
    const status = drawStatus(random)
    show(status === 200 ? 'green' : BAD)
    await sleep(timeoutMs)
    show(WHITE)
    return { status, body: { status } }
  }
}

/** A service with services: it asks all of them at once, and is as good as the worst of them. */
export function node({
  addresses,
  call,
  show,
  sleep,
}: Omit<Behaviour, 'timeoutMs'> & {
  /** Whom it calls, as `host:port`. */
  addresses: string[]
  /** Sends the body to an address and gives the status that counts; never fails. */
  call: (address: string, body: string) => Promise<number>
}): Activate {
  return async ({ color, body }) => {
    show(color)
    const statuses = await Promise.all(addresses.map((address) => call(address, body)))
    const good = statuses.every((status) => status === 200)
    show(good ? GOOD : BAD)
    await sleep(SETTLE_MS)
    show(WHITE)
    if (good) return { status: 200, body: { message: 'All services responded successfully' } }
    const responses = Object.fromEntries(addresses.map((address, position) => [address, statuses[position]]))
    return { status: 500, body: { error: 'One or more services failed', responses } }
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
