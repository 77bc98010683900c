import type { Expectation, StatusLimits } from '../../core/judging/status.ts'
import { isPushed } from '../../core/sets/stream-kinds.ts'
import type { Stream } from '../ingest/run.ts'

/** The settings that statuses depend on. */
export interface JudgingLimits extends StatusLimits {
  requestTimeoutMs: number
  silenceMs: number
}

/** What a stream's own settings say about its status. */
export type Expected = Pick<
  Stream,
  'kind' | 'desired' | 'intervalMs' | 'silenceMs' | 'deadAfterFailures' | 'deadAfterMs'
>

/**
 * What is expected of a stream, from its stored definition.
 * @param seenAt the last heartbeat of its worker; null when it has none
 */
export function expectation(stream: Expected, limits: JudgingLimits, seenAt: Date | null): Expectation {
  const { kind, desired, intervalMs } = stream
  const { requestTimeoutMs: timeoutMs, degradedShare, degradedWindowMs, degradedChecks } = limits
  // The own silence of a connection is in its evidence, where it is learned.
  const silenceMs = isPushed(kind) ? (stream.silenceMs ?? Number.POSITIVE_INFINITY) : limits.silenceMs
  return {
    ...{ kind, desired, intervalMs, timeoutMs, silenceMs, degradedShare, degradedWindowMs, degradedChecks },
    deadAfterFailures: stream.deadAfterFailures ?? limits.deadAfterFailures,
    deadAfterMs: stream.deadAfterMs ?? limits.deadAfterMs,
    heldAt: seenAt?.getTime(),
  }
}
