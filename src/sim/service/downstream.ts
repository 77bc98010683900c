import type { SimWorld } from '../world.ts'
import { bodyText, parseObject } from './body.ts'

/** The status of a call that timed out. */
const LATE_STATUS = 502
/** The status of a call whose connection failed. */
const UNREACHABLE_STATUS = 500

/** Timeout of `GET /state` of a called service. */
const NAME_TIMEOUT_MS = 1_000
/** Waits between attempts to learn a name: doubled from the first to the longest. */
const FIRST_NAME_RETRY_MS = 250
const LONGEST_NAME_RETRY_MS = 5_000
const MAX_STATE_BYTES = 65_536
/** The largest response parsed for its call tree: the largest payload, and room for the tree. */
const MAX_ANSWER_BYTES = 16_777_216
/** The longest name that another service may have. */
const MAX_NAME_CHARS = 100

/** The result of a call, as its caller saw it. */
export interface CallOutcome {
  status: number
  /** Why there was no response, for people. */
  error?: string
  /** The body of the response, with the service's own call tree; undefined if there is none. */
  answered?: unknown
}

/** Activates the service at an address; never fails. */
export async function callService(
  address: string,
  body: string,
  { world, timeoutMs, closing }: { world: SimWorld; timeoutMs: number; closing: AbortSignal },
): Promise<CallOutcome> {
  const timeout = AbortSignal.timeout(timeoutMs)
  try {
    const response = await world.fetch(`http://${address}/activate`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body,
      redirect: 'manual',
      // A pooled connection that the other side closes during the request would count as a failure.
      keepalive: false,
      signal: AbortSignal.any([timeout, closing]),
    })
    const text = await bodyText(response.body, MAX_ANSWER_BYTES)
    return { status: response.status, answered: parseObject(text ?? '')?.tree }
  } catch {
    return timeout.aborted
      ? { status: LATE_STATUS, error: `No response within ${timeoutMs} ms` }
      : { status: UNREACHABLE_STATUS, error: 'The connection failed' }
  }
}

/**
 * Asks the service at an address for its name until it responds.
 * @throws AbortError when `closing` aborts.
 */
export async function learnName(address: string, world: SimWorld, closing: AbortSignal): Promise<string> {
  for (let retryMs = FIRST_NAME_RETRY_MS; ; retryMs = Math.min(retryMs * 2, LONGEST_NAME_RETRY_MS)) {
    const name = await askName(address, world, closing)
    if (name !== undefined) return name
    await world.sleep(retryMs, closing)
  }
}

async function askName(address: string, world: SimWorld, closing: AbortSignal): Promise<string | undefined> {
  try {
    const response = await world.fetch(`http://${address}/state`, {
      redirect: 'manual',
      signal: AbortSignal.any([AbortSignal.timeout(NAME_TIMEOUT_MS), closing]),
    })
    const name = parseObject((await bodyText(response.body, MAX_STATE_BYTES)) ?? '')?.service
    return typeof name === 'string' && name !== '' && name.length <= MAX_NAME_CHARS ? name : undefined
  } catch {
    return undefined
  }
}
