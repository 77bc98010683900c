import type { ConnectionEnd, EndedConnections } from '../../core/sets/connection-ends.ts'
import { MINUTE_MS } from '../../core/time.ts'
import type { RunLog } from '../ingest/run.ts'
import type { Draft } from './entry.ts'

/** Ends that follow within this time of one that was recorded are recorded together, in milliseconds. */
const TOGETHER_MS = MINUTE_MS

/** One connection that ended without a failure: those have an `error` entry. */
export interface Ended {
  /** Milliseconds since the epoch. */
  at: number
  by: ConnectionEnd
  lastedMs: number
  events: number
  receivedBytes: number
}

export interface ConnectionEndsDeps {
  log: Pick<RunLog, 'append'>
  now(): number
  /** What was received and isn't in an entry yet. */
  takeUncharged(): Pick<Draft, 'wireBytes' | 'bodyBytes'>
  /** Default: a minute. */
  togetherMs?: number
}

/** Records the ends of a stream's connections as `end` entries: the first at once, then at most one a minute. */
export class ConnectionEnds {
  readonly #deps: ConnectionEndsDeps
  #waiting: EndedConnections | undefined
  /** When the last entry was made, by a clock that nobody sets. */
  #recordedAt = Number.NEGATIVE_INFINITY
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(deps: ConnectionEndsDeps) {
    this.#deps = deps
  }

  add(end: Ended): void {
    this.#waiting = withEnd(this.#waiting, end)
    const leftMs = this.#recordedAt + (this.#deps.togetherMs ?? TOGETHER_MS) - performance.now()
    if (leftMs <= 0) this.flush()
    else this.#timer ??= setTimeout(() => this.flush(), leftMs)
  }

  /** Records those that are waiting to be recorded together. */
  flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const waiting = this.#waiting
    if (waiting === undefined) return
    this.#waiting = undefined
    this.#recordedAt = performance.now()
    const { log, now, takeUncharged } = this.#deps
    log.append({ at: now(), kind: 'end', ...takeUncharged(), data: JSON.stringify(waiting) })
  }
}

function withEnd(
  known: EndedConnections | undefined,
  { at, by, lastedMs, events, receivedBytes }: Ended,
): EndedConnections {
  const to = new Date(at).toISOString()
  const before = known ?? { count: 0, by: {}, from: to, to, lastedMs: 0, events: 0, receivedBytes: 0 }
  return {
    count: before.count + 1,
    by: { ...before.by, [by]: (before.by[by] ?? 0) + 1 },
    from: before.from,
    to,
    lastedMs: before.lastedMs + Math.round(lastedMs),
    events: before.events + events,
    receivedBytes: before.receivedBytes + receivedBytes,
  }
}
