import type { World } from '../world.ts'
import { parseObject, readText } from './body.ts'

/** What an answer that didn't come in time counts as. */
const LATE_STATUS = 502
/** What a connection that failed counts as. */
const UNREACHABLE_STATUS = 500

/** How long `GET /state` of a called service may take. */
const NAME_TIMEOUT_MS = 1_000
/** Waits between attempts to learn a name: doubled from the first to the longest. */
const FIRST_NAME_RETRY_MS = 250
const LONGEST_NAME_RETRY_MS = 5_000
const MAX_STATE_BYTES = 65_536
/** The largest answer that is read for its call tree: the largest payload, and room for the tree. */
const MAX_ANSWER_BYTES = 16_777_216
/** The longest name another service may give itself. */
const MAX_NAME_CHARS = 100

/** What a call came to, as its caller saw it. */
export interface CallOutcome {
  status: number
  /** Why no answer came, for people. */
  error?: string
  /** What the service says of itself and its calls, as it came in; undefined when it says nothing. */
  answered?: unknown
}

/** Activates the service at an address; never fails. */
export async function callService(
  address: string,
  body: string,
  { world, timeoutMs, closing }: { world: World; timeoutMs: number; closing: AbortSignal },
): Promise<CallOutcome> {
  const timeout = AbortSignal.timeout(timeoutMs)
  try {
    const response = await world.fetch(`http://${address}/activate`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body,
      redirect: 'manual',
      // A pooled connection that the other side closes while the request is on its way would count as a failure.
      keepalive: false,
      signal: AbortSignal.any([timeout, closing]),
    })
    const text = await readText(response.body, MAX_ANSWER_BYTES)
    return { status: response.status, answered: parseObject(text ?? '')?.tree }
  } catch {
    return timeout.aborted
      ? { status: LATE_STATUS, error: `No answer within ${timeoutMs} ms` }
      : { status: UNREACHABLE_STATUS, error: 'The connection failed' }
  }
}

/**
 * Asks the service at an address for its name until it gives one.
 * @throws AbortError when `closing` aborts.
 */
export async function learnName(address: string, world: World, closing: AbortSignal): Promise<string> {
  for (let retryMs = FIRST_NAME_RETRY_MS; ; retryMs = Math.min(retryMs * 2, LONGEST_NAME_RETRY_MS)) {
    const name = await askName(address, world, closing)
    if (name !== undefined) return name
    await world.sleep(retryMs, closing)
  }
}

async function askName(address: string, world: World, closing: AbortSignal): Promise<string | undefined> {
  try {
    const response = await world.fetch(`http://${address}/state`, {
      redirect: 'manual',
      signal: AbortSignal.any([AbortSignal.timeout(NAME_TIMEOUT_MS), closing]),
    })
    const name = parseObject((await readText(response.body, MAX_STATE_BYTES)) ?? '')?.service
    return typeof name === 'string' && name !== '' && name.length <= MAX_NAME_CHARS ? name : undefined
  } catch {
    return undefined
  }
}
