import type { Bus, Subscription } from '../../bus/bus.ts'
import type { Expectation } from '../../core/judging/status.ts'
import { causeOf } from '../../errors.ts'
import type { SilenceWatch } from '../../incidents/silence-watch.ts'
import { throughOutage } from '../../storage/errors/outage.ts'
import type { Recorder } from '../recording/recorder.ts'
import { turnSpell } from '../recording/spells.ts'
import { expectation, type JudgingLimits } from '../status/expectation.ts'
import type { FollowDeps } from './follow.ts'
import { FOLLOWERS } from './followers.ts'
import type { Run, RunLog } from './run.ts'
import type { RunStore } from './run-store.ts'

/**
 * How often it is checked whether silences cover the running connections, in milliseconds. A change is dated as late as that.
 */
const SILENCES_EVERY_MS = 5_000
/** Evidence of a connection is written at least this often, in milliseconds: it says until when it stood. */
const STOOD_EVERY_MS = 60_000

export interface RunnerDeps extends FollowDeps {
  /** Silences of notifications; omitted: there are none. */
  silences?: Pick<SilenceWatch, 'ready' | 'refresh' | 'covers'>
  bus: Bus
  runs: RunStore
  recorder: Recorder
  warn(message: string): void
}

/** What judging expects of a stream that this process runs right now. */
export function expectationOf(run: Run, limits: JudgingLimits, nowMs: number): Expectation {
  return expectation({ ...run.stream, desired: 'running' }, limits, new Date(nowMs))
}

/**
 * How running a stream ended: its job is done (it should no longer run, or another worker runs it), or this process
 * released it for another one to continue.
 */
export type HoldEnd = 'finished' | 'released'

interface Held {
  run: Run | undefined
  /** Ends the current run, to read the stream's desired state again. */
  interrupt: AbortController
  /** Signal of the current job; aborting it stops running the stream. */
  grant: AbortSignal
  /** Stops running the stream, so that another worker continues. */
  release: AbortController
  ended: Promise<HoldEnd>
}

/** The streams that this process runs. */
export class Runner {
  readonly #deps: RunnerDeps
  readonly #held = new Map<string, Held>()
  readonly #subscription: Subscription
  readonly #silencesTimer: Timer
  #closed = false
  #isCheckDue = false
  #checking: Promise<void> | undefined

  constructor(deps: RunnerDeps) {
    this.#deps = deps
    this.#silencesTimer = setInterval(() => void this.#checkSilences(), SILENCES_EVERY_MS)
    this.#silencesTimer.unref()
    const interruptAll = ({ streamIds }: { streamIds: readonly string[] }) => {
      for (const id of streamIds) this.interrupt(id)
    }
    this.#subscription = deps.bus.subscribe('The runner', {
      'run.interrupt': interruptAll,
      'run.unwanted': interruptAll,
      'run.started': ({ runs }, origin) => {
        if (origin === 'elsewhere') for (const [id, epoch] of runs) this.fence(id, epoch)
      },
      'relay.restored': () => this.#checkRuns(),
      'silence.updated': () => void this.#checkSilences(),
    })
  }

  /** Number of streams that this process runs. */
  get size(): number {
    return this.#held.size
  }

  holds(streamId: string): boolean {
    return this.#held.has(streamId)
  }

  /** The current run of a stream in this process. */
  run(streamId: string): Run | undefined {
    return this.#held.get(streamId)?.run
  }

  /** Makes a running stream read its desired state again: it was stopped, changed or removed. */
  interrupt(streamId: string): void {
    this.#held.get(streamId)?.interrupt.abort()
  }

  /** Ends a run that was replaced by another worker's. */
  fence(streamId: string, epoch: number): void {
    const run = this.run(streamId)
    if (run !== undefined && run.epoch < epoch) run.fenced.abort()
  }

  /** Releases some streams, for other workers to continue. */
  release(count: number): void {
    let left = count
    for (const held of this.#held.values()) {
      if (left-- <= 0) return
      held.release.abort()
    }
  }

  /** Releases every stream, including any that arrive later. */
  close(): void {
    this.#closed = true
    this.#subscription.end()
    clearInterval(this.#silencesTimer)
    this.release(this.size)
  }

  /**
   * Runs a stream, run after run, until it should no longer run or the grant ends. If this process already runs the
   * stream (others considered this worker lost, or the queue lost its state, and the job came back), the run
   * continues under the new grant.
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

  /** Interrupts may have been missed. What is missed during a check needs another one. */
  #checkRuns(): void {
    this.#isCheckDue = true
    this.#checking ??= this.#check()
      .catch((error) => this.#deps.warn(`Can't check whether runs are outdated: ${causeOf(error)}`))
      .finally(() => {
        this.#checking = undefined
      })
  }

  async #check(): Promise<void> {
    while (this.#isCheckDue && !this.#closed) {
      this.#isCheckDue = false
      const held = [...this.#held.values()].flatMap(({ run }) => run ?? [])
      for (const run of await this.#deps.runs.outdated(held)) {
        if (this.run(run.stream.id) === run) this.interrupt(run.stream.id)
      }
    }
  }

  /** Silences begin and end by the clock, and connections may stand for months without a change of their own. */
  async #checkSilences(): Promise<void> {
    if (this.#held.size === 0) return
    await this.#deps.silences?.refresh()
    const at = this.#deps.now()
    for (const { run } of this.#held.values()) {
      const state = run?.evidence.spell?.state
      if (run === undefined || state === undefined) continue
      const isOverdue = at - (run.writtenAt ?? 0) >= STOOD_EVERY_MS
      const isTurned = turnSpell(run, state, at, this.#isSilenced(run, at))
      if (isTurned || isOverdue) this.#deps.recorder.touch(run, isTurned)
    }
  }

  #isSilenced({ stream }: Run, at: number): boolean {
    return this.#deps.silences?.covers(stream, at) ?? false
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
      // A job that fails while the queue is away, too, might never be given out again.
      const begin = () => runs.begin({ streamId, attempt, takeOver })
      const run = await throughOutage(begin, () => !held.release.signal.aborted)
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
      stands: (state, at) => void turnSpell(run, state, at, this.#isSilenced(run, at)),
    }
    let reason = 'failed'
    try {
      log.turned()
      await this.#deps.silences?.ready()
      const isSilenced = (_: unknown, at: number) => this.#isSilenced(run, at)
      const storedEvents: FollowDeps['storedEvents'] = (...asked) =>
        throughOutage(
          () => this.#deps.storedEvents(...asked),
          () => !ending.aborted,
        )
      await FOLLOWERS[run.stream.kind](run, log, ending, { ...this.#deps, storedEvents, isSilenced })
      reason = endReason(run, held)
    } finally {
      await recorder.settle(run)
      await throughOutage(
        () => runs.end({ run, reason }),
        () => !this.#closed,
      )
    }
  }
}

function endReason(run: Run, held: Held): string {
  if (run.fenced.signal.aborted) return 'replaced'
  return held.release.signal.aborted ? 'released' : 'changed'
}
