import type { LargeDocuments } from '../large/documents.ts'
import type { StoredEvent } from '../log/logs.ts'
import type { Differ } from './follow-document.ts'
import type { Hosts } from './hosts.ts'
import type { Run, RunLog, Stream } from './run.ts'
import type { Asked, Fetch, Limits, UpstreamError } from './upstream.ts'

/** What followers are given from outside. */
export interface FollowDeps {
  limits: Limits & {
    /** An event stream without a byte for longer than this is connected anew, in milliseconds. */
    silenceMs: number
  }
  hosts: Hosts
  large: LargeDocuments
  /** What is sent to follow a stream: not always its own URL. */
  request(stream: Stream): Asked
  /** Which of these event ids are among the stream's last entries, with what is stored of each. */
  storedEvents(streamId: string, eventIds: readonly string[]): Promise<Map<string, StoredEvent>>
  fetch?: Fetch
  differ?: Differ
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

/** Why something may be missing: what the log says of it. */
export type GapReason = 'no_last_event_id' | 'not_polled' | 'missing_ids'

/** Records that something may have been missed, from one instant to another. */
export function tellGap(log: RunLog, reason: GapReason, from: number, to: number, more: object = {}): void {
  const span = { from: new Date(from).toISOString(), to: new Date(to).toISOString() }
  const data = JSON.stringify({ reason, ...span, ...more })
  log.append({ at: to, kind: 'gap', wireBytes: 0, bodyBytes: 0, data })
}
