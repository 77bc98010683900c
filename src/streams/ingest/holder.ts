import type { Expectation } from '../../core/judging/verdict.ts'
import type { Recorder } from '../recording/recorder.ts'
import type { FollowDeps } from './follow.ts'
import { followPoll } from './follow-poll.ts'
import { followSse } from './follow-sse.ts'
import type { Run, RunLog, Stream } from './run.ts'
import type { RunStore } from './run-store.ts'

export interface HolderDeps extends FollowDeps {
  runs: RunStore
  recorder: Recorder
}

/** What verdicts expect of a stream that is held right now. */
export function expectationOf(run: Run, limits: FollowDeps['limits'], nowMs: number): Expectation {
  const { kind, intervalMs } = run.stream
  const { requestTimeoutMs: timeoutMs, silenceMs } = limits
  return { kind, desired: 'running', heldAt: nowMs, intervalMs, timeoutMs, silenceMs }
}

/**
 * How holding a stream ended: its job is done (it should no longer run, or another worker has it), or this process
 * lets go of it and another one should go on.
 */
export type HoldEnd = 'finished' | 'released'

interface Held {
  run: Run | undefined
  /** Ends the run at hand, to look again at what the stream should do. */
  interrupt: AbortController
  /** Of the job that is in charge; ends holding. */
  grant: AbortSignal
  /** Ends holding, for another worker to go on. */
  release: AbortController
  ended: Promise<HoldEnd>
}

/** The streams that this process holds. */
export class Holder {
  readonly #deps: HolderDeps
  readonly #held = new Map<string, Held>()
  #closed = false

  constructor(deps: HolderDeps) {
    this.#deps = deps
  }

  /** Streams held here. */
  get size(): number {
    return this.#held.size
  }

  holds(streamId: string): boolean {
    return this.#held.has(streamId)
  }

  /** The run of a stream that is held here. */
  run(streamId: string): Run | undefined {
    return this.#held.get(streamId)?.run
  }

  /** Makes a held stream look again at what it should do: it was stopped, changed or removed. */
  interrupt(streamId: string): void {
    this.#held.get(streamId)?.interrupt.abort()
  }

  /** Ends a run that another worker's has replaced. */
  fence(streamId: string, epoch: number): void {
    const run = this.run(streamId)
    if (run !== undefined && run.epoch < epoch) run.fenced.abort()
  }

  /** Lets go of some streams, for other workers to go on with. */
  release(count: number): void {
    let left = count
    for (const held of this.#held.values()) {
      if (left-- <= 0) return
      held.release.abort()
    }
  }

  /** Lets go of every stream, and of every one that comes yet. */
  close(): void {
    this.#closed = true
    this.release(this.size)
  }

  /**
   * Holds a stream, run after run, until it should no longer run or the grant ends. A stream that is held already
   * (others took its worker for lost, or the queue forgot its last moments, and the job came back) just goes on under
   * the new grant.
   * @param attempt which attempt of its job this is, from 1
   */
  async hold(streamId: string, attempt: number, grant: AbortSignal): Promise<HoldEnd> {
    if (this.#closed) return 'released'
    let held = this.#held.get(streamId)
    if (held === undefined) {
      held = {
        run: undefined,
        interrupt: new AbortController(),
        grant,
        release: new AbortController(),
        ended: Promise.resolve('finished'),
      }
      this.#held.set(streamId, held)
      held.ended = this.#runAfterRun(streamId, attempt, held).finally(() => this.#held.delete(streamId))
    }
    return this.#chargeWith(held, grant)
  }

  #chargeWith(held: Held, grant: AbortSignal): Promise<HoldEnd> {
    held.grant = grant
    const onAbort = () => {
      if (held.grant === grant) held.release.abort()
    }
    if (grant.aborted) onAbort()
    else grant.addEventListener('abort', onAbort, { once: true })
    return held.ended
  }

  async #runAfterRun(streamId: string, attempt: number, held: Held): Promise<HoldEnd> {
    const { runs } = this.#deps
    let takeOver = true
    while (!held.release.signal.aborted) {
      held.interrupt = new AbortController()
      const run = await runs.begin({ streamId, attempt, takeOver })
      if (run === undefined) return 'finished'
      takeOver = false
      held.run = run
      await this.#follow(run, held)
      held.run = undefined
    }
    return 'released'
  }

  async #follow(run: Run, held: Held): Promise<void> {
    const { recorder, runs } = this.#deps
    const ending = AbortSignal.any([held.release.signal, held.interrupt.signal, run.fenced.signal])
    const log: RunLog = {
      append: (draft, checkpoint) => recorder.append(run, draft, checkpoint),
      durable: (signal) => recorder.durable(signal),
      seen: () => recorder.touch(run, false),
      turned: () => recorder.touch(run, true),
    }
    let reason = 'failed'
    try {
      log.turned()
      await follower(run.stream)(run, log, ending, this.#deps)
      reason = endReason(run, held)
    } finally {
      await recorder.settle(run)
      await runs.end({ run, reason })
    }
  }
}

function follower({ kind }: Stream) {
  return kind === 'sse' ? followSse : followPoll
}

function endReason(run: Run, held: Held): string {
  if (run.fenced.signal.aborted) return 'replaced'
  return held.release.signal.aborted ? 'released' : 'changed'
}
