import type { Expectation, StatusLimits } from '../../core/judging/status.ts'
import type { Stream } from '../ingest/run.ts'

/** The settings that statuses depend on. */
export interface JudgingLimits extends StatusLimits {
  requestTimeoutMs: number
  silenceMs: number
}

/** What a stream's own settings say about its status. */
export type Expected = Pick<Stream, 'kind' | 'desired' | 'intervalMs' | 'deadAfterFailures' | 'deadAfterMs'>

/**
 * What is expected of a stream, from its stored definition.
 * @param seenAt the last heartbeat of its worker; null when it has none
 */
export function expectation(stream: Expected, limits: JudgingLimits, seenAt: Date | null): Expectation {
  const { kind, desired, intervalMs } = stream
  const { requestTimeoutMs: timeoutMs, silenceMs, degradedShare, degradedWindowMs, degradedChecks } = limits
  return {
    ...{ kind, desired, intervalMs, timeoutMs, silenceMs, degradedShare, degradedWindowMs, degradedChecks },
    deadAfterFailures: stream.deadAfterFailures ?? limits.deadAfterFailures,
    deadAfterMs: stream.deadAfterMs ?? limits.deadAfterMs,
    heldAt: seenAt?.getTime(),
  }
}
