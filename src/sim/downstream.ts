import { parseObject, readText } from './body.ts'
import type { World } from './world.ts'

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
/** The longest name another service may give itself. */
const MAX_NAME_CHARS = 100

/** Activates the service at an address and gives the status that counts; never fails. */
export async function callService(
  address: string,
  body: string,
  { world, timeoutMs, closing }: { world: World; timeoutMs: number; closing: AbortSignal },
): Promise<number> {
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
    response.body?.cancel().catch(() => {})
    return response.status
  } catch {
    return timeout.aborted ? LATE_STATUS : UNREACHABLE_STATUS
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
