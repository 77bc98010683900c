import type { Run, RunLog } from './run.ts'
import type { Fetch, Limits, UpstreamError } from './upstream.ts'

/** What followers are given from outside. */
export interface FollowDeps {
  limits: Limits & {
    /** An event stream without a byte for longer than this is connected anew, in milliseconds. */
    silenceMs: number
  }
  fetch?: Fetch
  now(): number
  random(): number
}

/** Records a failed attempt: an `error` entry, and the evidence that the next one is due later. */
export function fail(run: Run, log: RunLog, error: UpstreamError, nextRetryAt: number, at: number): void {
  const { evidence } = run
  evidence.failures++
  evidence.failingSince ??= at
  evidence.nextRetryAt = nextRetryAt
  evidence.lastError = { code: error.code, message: error.message, at }
  evidence.phase = 'waiting'
  evidence.phaseSince = at
  const data = JSON.stringify({
    code: error.code,
    message: error.message,
    failures: evidence.failures,
    nextRetryAt: new Date(nextRetryAt).toISOString(),
  })
  log.append({ at, kind: 'error', wireBytes: error.wireBytes, bodyBytes: 0, data, exchange: error.exchange })
  log.turned()
}

/** Records that the upstream answers as it should. */
export function recover(run: Run, log: RunLog, at: number): void {
  const { evidence } = run
  const turned = evidence.failures > 0 || evidence.phase !== 'open' || run.judged?.verdict !== 'live'
  if (evidence.failures > 0 || evidence.phase !== 'open') {
    evidence.phase = 'open'
    evidence.phaseSince = at
  }
  evidence.failures = 0
  evidence.failingSince = undefined
  evidence.nextRetryAt = undefined
  if (turned) log.turned()
}

/** Records that something may have been missed, from one instant to another. */
export function tellGap(
  log: RunLog,
  reason: 'no_last_event_id' | 'not_polled',
  from: number,
  to: number,
): void {
  const data = JSON.stringify({ reason, from: new Date(from).toISOString(), to: new Date(to).toISOString() })
  log.append({ at: to, kind: 'gap', wireBytes: 0, bodyBytes: 0, data })
}

/** Longest timer that runs as asked: beyond 2^31 − 1 ms it would fire at once. */
const MAX_TIMER_MS = 2_147_483_647

/**
 * Waits until an instant.
 * @returns false when the signal aborted first.
 */
export async function waitUntil(instant: number, signal: AbortSignal, now: () => number): Promise<boolean> {
  while (!signal.aborted) {
    const leftMs = instant - now()
    if (leftMs <= 0) return true
    await new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer)
        signal.removeEventListener('abort', done)
        resolve()
      }
      const timer = setTimeout(done, Math.min(leftMs, MAX_TIMER_MS))
      signal.addEventListener('abort', done)
    })
  }
  return false
}
