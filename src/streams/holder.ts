import type { Expectation } from '../core/verdict.ts'
import type { Database } from '../storage/storage.ts'
import type { FollowDeps } from './follow.ts'
import { followPoll } from './follow-poll.ts'
import { followSse } from './follow-sse.ts'
import type { Recorder } from './recorder.ts'
import type { Run, RunLog, Stream } from './run.ts'
import { beginRun, endRun } from './run-store.ts'

export interface HolderDeps extends FollowDeps {
  db: Database
  recorder: Recorder
  /** Name of this process among the workers. */
  worker: string
}

/** What verdicts expect of a stream that is held right now. */
export function expectationOf(run: Run, limits: FollowDeps['limits'], nowMs: number): Expectation {
  const { kind, intervalMs } = run.stream
  const { requestTimeoutMs: timeoutMs, silenceMs } = limits
  return { kind, desired: 'running', heldAt: nowMs, intervalMs, timeoutMs, silenceMs }
}

/** The streams that this process holds. */
export class Holder {
  readonly #deps: HolderDeps
  readonly #held = new Map<string, { run: Run; interrupt: AbortController }>()

  constructor(deps: HolderDeps) {
    this.#deps = deps
  }

  get size(): number {
    return this.#held.size
  }

  /** The run of a stream that is held here. */
  run(streamId: string): Run | undefined {
    return this.#held.get(streamId)?.run
  }

  /** Makes a held stream look again at what it should do: it was stopped, changed or removed. */
  interrupt(streamId: string): void {
    this.#held.get(streamId)?.interrupt.abort()
  }

  /**
   * Holds a stream, run after run, until it should no longer run or the signal aborts.
   * @param attempt which attempt of its job this is, from 1
   */
  async hold(streamId: string, attempt: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const run = await beginRun(this.#deps.db, streamId, this.#deps.worker, attempt)
      if (run === undefined) return
      await this.#follow(run, signal)
      // Another run has taken over: this process has nothing more to do with the stream.
      if (run.fenced.signal.aborted) return
    }
  }

  async #follow(run: Run, signal: AbortSignal): Promise<void> {
    const { recorder, db } = this.#deps
    const interrupt = new AbortController()
    const streamId = run.stream.id
    this.#held.set(streamId, { run, interrupt })
    const ending = AbortSignal.any([signal, interrupt.signal, run.fenced.signal])
    const log: RunLog = {
      append: (draft, checkpoint) => recorder.append(run, draft, checkpoint),
      turned: () => recorder.touch(run, true),
    }
    let reason = 'failed'
    try {
      log.turned()
      await follower(run.stream)(run, log, ending, this.#deps)
      reason = endReason(run, interrupt.signal)
    } finally {
      if (this.#held.get(streamId)?.run === run) this.#held.delete(streamId)
      await recorder.flush()
      recorder.forget(run)
      await endRun(db, run, reason)
    }
  }
}

function follower({ kind }: Stream) {
  return kind === 'sse' ? followSse : followPoll
}

function endReason(run: Run, interrupted: AbortSignal): string {
  if (run.fenced.signal.aborted) return 'replaced'
  return interrupted.aborted ? 'changed' : 'released'
}
