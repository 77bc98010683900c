import { causeOf } from '../errors.ts'
import { OUTAGES, outageOf } from './errors/outage.ts'
import { sqlStateOf } from './errors/sql-state.ts'

/** How long a start waits for servers that aren't there, in milliseconds: a failover or an update takes minutes. */
export const START_PATIENCE_MS = 300_000
/** The first and the longest wait between two attempts, in milliseconds. It doubles each time. */
const FIRST_RETRY_MS = 250
const MAX_RETRY_MS = 5_000
/** Wrong password, no such database: waiting doesn't help. */
const WRONG_SETTINGS = /^(28|3D)/

/**
 * Repeats a start that fails because the database or the queue is away.
 * @param pause waits; gets the reason
 * @throws what the start throws, if it isn't an outage, or after `patienceMs`
 */
export async function startPatiently<T>(
  start: () => Promise<T>,
  pause: (ms: number, why: string) => Promise<unknown>,
  patienceMs = START_PATIENCE_MS,
): Promise<T> {
  const deadline = performance.now() + patienceMs
  for (let waitMs = FIRST_RETRY_MS; ; waitMs = Math.min(waitMs * 2, MAX_RETRY_MS)) {
    try {
      return await start()
    } catch (error) {
      const outage = WRONG_SETTINGS.test(sqlStateOf(error) ?? '') ? undefined : outageOf(error)
      if (outage === undefined || performance.now() + waitMs > deadline) throw error
      await pause(waitMs, `${OUTAGES[outage]} (${causeOf(error)})`)
    }
  }
}
