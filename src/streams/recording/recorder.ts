import type { Bus } from '../../bus/bus.ts'
import { EVIDENCE_EVERY_MS, type Expectation } from '../../core/judging/status.ts'
import type { GapReason } from '../../core/sets/gap-reasons.ts'
import { sqlStateOf } from '../../storage/errors/sql-state.ts'
import type { Database } from '../../storage/storage.ts'
import type { Checkpoint, Run } from '../ingest/run.ts'
import { RollupWriter } from '../measures/rollup-writer.ts'
import type { Draft, Entry } from './entry.ts'
import { storeEntries, type ToStore } from './store-entries.ts'
import { type Proven, provenOf, storeEvidence } from './store-evidence.ts'

/**
 * Shortest time that an entry waits to be batched, in milliseconds. A statement costs as much as some dozens of
 * entries, so the wait grows with the load.
 */
const MIN_GATHER_MS = 25
const MAX_GATHER_MS = 150
/** Waits are this many times as long as the last write. */
const GATHER_PER_WRITE = 20
/** How often rollups are written, unless somebody waits for them, in milliseconds. */
const SUM_EVERY_MS = 250
/** Maximum entries in one statement. */
const BATCH_ENTRIES = 1_000
/** Maximum bytes of data in one statement, beyond its first entry. */
const BATCH_BYTES = 4_194_304
/** Bounds of the queue while the database doesn't answer. Beyond either, entries are dropped and counted in a `gap`. */
const MAX_WAITING_ENTRIES = 100_000
const MAX_WAITING_BYTES = 134_217_728
/** Shortest and longest wait after a failed write, in milliseconds. */
const RETRY_MS = 250
const MAX_RETRY_MS = 5_000
/** Paths that one run counts separately; changes of all others are counted together. */
const MAX_PATHS = 100
/** Stands for all others: no JSON Pointer begins like this. */
const OTHER_PATHS = '*'
/** How long a run that ends may take to write what it still has, in milliseconds. */
const SETTLE_MS = 3_000

/** Observes writes. What was written is published as events. */
export interface WriteObserver {
  /** A write finished, or failed: how long it took, in milliseconds, and why it failed. */
  wrote?(tookMs: number, error?: Error): void
  /** A write failed and will be retried. */
  failing?(error: Error, waiting: number): void
  /** Writes succeed again. */
  recovered?(): void
}

interface Waiting extends ToStore {
  run: Run
  bytes: number
  /** What the log proves without this entry. */
  proven: Proven
}

/**
 * Writes the entries and evidence of this process's runs, many streams in one statement. A batch carries each run's
 * epoch: a run that was replaced writes nothing, and is aborted.
 *
 * Publishes `entries.stored`, `stream.updated` and `run.unwanted` once they are durable.
 */
export class Recorder {
  readonly #db: Database
  readonly #bus: Bus
  readonly #observer: WriteObserver
  readonly #expect: (run: Run) => Expectation
  #waiting: Waiting[] = []
  #waitingBytes = 0
  /** Runs whose evidence goes with the next batch. */
  readonly #turned = new Set<Run>()
  /** Runs with new evidence since it was last written. */
  readonly #touched = new Set<Run>()
  readonly #evidenceTimer: Timer
  readonly #sums = new RollupWriter()
  readonly #sumTimer: Timer
  #sumsDue = false
  /** Maximum entries in the next statement: fewer while searching for one that can't be stored. */
  #most = BATCH_ENTRIES
  #gather: Timer | undefined
  #gatherMs = MIN_GATHER_MS
  #writing: Promise<void> | undefined
  /** Callers waiting for durability: entries aren't batched meanwhile. */
  #awaited = 0
  /**
   * How many entries at the head of the queue may already be in the log, because the outcome of their write is
   * unknown.
   */
  #unsure = 0
  #closed = false
  #failure: unknown
  /** Entries ever queued, and ever written or refused; they leave the queue in order. */
  #appended = 0
  #written = 0
  /** Resolves after every batch. */
  #batchDone = Promise.withResolvers<void>()

  constructor(db: Database, expect: (run: Run) => Expectation, bus: Bus, observer: WriteObserver = {}) {
    this.#db = db
    this.#expect = expect
    this.#bus = bus
    this.#observer = observer
    this.#evidenceTimer = setInterval(() => {
      for (const run of this.#touched) this.#turned.add(run)
      this.#touched.clear()
      this.#schedule()
    }, EVIDENCE_EVERY_MS)
    this.#evidenceTimer.unref()
    this.#sumTimer = setInterval(() => {
      if (!this.#sums.isOwing) return
      this.#sumsDue = true
      this.#schedule()
    }, SUM_EVERY_MS)
    this.#sumTimer.unref()
  }

  /** Why the last write failed; undefined if it didn't. */
  get failure(): unknown {
    return this.#failure
  }

  /** Entries waiting to be written. */
  get waiting(): number {
    return this.#waiting.length
  }

  /**
   * Numbers an entry and queues it.
   * @returns false if there is no room: the entry is dropped, and a `gap` precedes the run's next one.
   */
  append(run: Run, draft: Draft, checkpoint: Partial<Checkpoint> = {}): boolean {
    if (run.fenced.signal.aborted) return false
    if (this.#waiting.length >= MAX_WAITING_ENTRIES || this.#waitingBytes >= MAX_WAITING_BYTES) {
      run.dropped ??= { count: 0, from: draft.at, to: draft.at }
      run.dropped.count++
      run.dropped.to = draft.at
      return false
    }
    if (run.dropped !== undefined) this.#tellGap(run, draft.at)
    this.#queue(run, draft, checkpoint)
    return true
  }

  /** Schedules the run's evidence: at once if people should see the change, else together with others. */
  touch(run: Run, turned: boolean): void {
    if (!turned) {
      this.#touched.add(run)
      return
    }
    this.#turned.add(run)
    this.#schedule()
  }

  /**
   * Waits until everything appended so far, its rollups and the run's evidence are durable, at most for `deadlineMs`.
   */
  async settle(run: Run, deadlineMs = SETTLE_MS): Promise<void> {
    if (run.dropped !== undefined && !run.fenced.signal.aborted) this.#tellGap(run, run.dropped.to)
    const target = this.#appended
    this.#turned.add(run)
    const isSettled = () => {
      if (this.#written < target) return false
      this.#sums.hurry(run)
      return !this.#turned.has(run) && !this.#sums.owes(run)
    }
    await this.#until(isSettled, deadlineMs)
    this.#turned.delete(run)
    this.#touched.delete(run)
    this.#sums.forget(run)
  }

  /**
   * Waits until everything appended so far is written or refused.
   * @throws the signal's reason if it aborts first
   */
  async durable(signal: AbortSignal): Promise<void> {
    const target = this.#appended
    while (this.#written < target) {
      signal.throwIfAborted()
      await this.#until(() => this.#written >= target || signal.aborted, SETTLE_MS)
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#evidenceTimer)
    clearInterval(this.#sumTimer)
    await this.#until(() => this.#waiting.length === 0, SETTLE_MS)
    this.#closed = true
    clearTimeout(this.#gather)
  }

  async #until(done: () => boolean, deadlineMs: number): Promise<void> {
    const late = Promise.withResolvers<void>()
    const timer = setTimeout(late.resolve, deadlineMs)
    const deadline = performance.now() + deadlineMs
    this.#awaited++
    while (!done() && performance.now() < deadline && !this.#closed) {
      this.#write()
      await Promise.race([this.#batchDone.promise, late.promise])
    }
    this.#awaited--
    clearTimeout(timer)
  }

  #queue(run: Run, draft: Draft, checkpoint: Partial<Checkpoint>): void {
    run.checkpoint = { ...run.checkpoint, ...checkpoint, seq: run.checkpoint.seq + 1 }
    if (draft.kind === 'snapshot') run.checkpoint.snapshotSeq = run.checkpoint.seq
    const paths = draft.paths && toldApart(run, draft.paths)
    const entry: Entry = {
      ...draft,
      paths,
      streamId: run.stream.id,
      epoch: run.epoch,
      seq: run.checkpoint.seq,
    }
    const bytes = (draft.data?.length ?? 0) + 256
    this.#waiting.push({ run, entry, checkpoint: run.checkpoint, bytes, proven: provenOf(run) })
    this.#waitingBytes += bytes
    this.#appended++
    this.#touched.add(run)
    if (this.#waiting.length >= BATCH_ENTRIES) this.#write()
    else this.#schedule()
  }

  #tellGap(run: Run, at: number): void {
    const { count, from, to } = run.dropped as NonNullable<Run['dropped']>
    run.dropped = undefined
    const data = JSON.stringify({
      reason: 'buffer_full' satisfies GapReason,
      count,
      from: new Date(from).toISOString(),
      to: new Date(to).toISOString(),
    })
    this.#queue(run, { at, kind: 'gap', wireBytes: 0, bodyBytes: 0, data }, {})
  }

  #schedule(): void {
    if (this.#closed || this.#gather !== undefined || this.#writing !== undefined) return
    this.#gather = setTimeout(() => {
      this.#gather = undefined
      this.#write()
    }, this.#gatherMs)
  }

  /** Starts a write. Entries that arrive meanwhile are batched again, unless they fill a batch or somebody waits. */
  #write(): void {
    this.#writing ??= this.#drain().finally(() => {
      this.#writing = undefined
      if (this.#hasWork()) this.#schedule()
    })
  }

  async #drain(): Promise<void> {
    clearTimeout(this.#gather)
    this.#gather = undefined
    let retryMs = RETRY_MS
    let isUrgent = true
    while (isUrgent && this.#hasWork() && !this.#closed) {
      const begun = performance.now()
      try {
        await this.#storeBatch()
        await this.#storeSums()
        await this.#storeEvidence()
        const tookMs = performance.now() - begun
        this.#gatherMs = Math.min(MAX_GATHER_MS, Math.max(MIN_GATHER_MS, tookMs * GATHER_PER_WRITE))
        this.#batchDone.resolve()
        this.#batchDone = Promise.withResolvers()
        retryMs = RETRY_MS
        if (this.#failure !== undefined) this.#observer.recovered?.()
        this.#failure = undefined
        isUrgent = this.#awaited > 0 || this.#waiting.length >= BATCH_ENTRIES || this.#most < BATCH_ENTRIES
      } catch (error) {
        this.#failure = error
        this.#observer.failing?.(error as Error, this.#waiting.length)
        await pause(retryMs)
        retryMs = Math.min(retryMs * 2, MAX_RETRY_MS)
      }
    }
  }

  #hasWork(): boolean {
    return this.#waiting.length > 0 || this.#turned.size > 0 || this.#sumsDue || this.#sums.isUrgent
  }

  async #storeBatch(): Promise<void> {
    const batch = takeBatch(this.#waiting, this.#most)
    if (batch.length === 0) return
    const begun = performance.now()
    let held: Map<string, number>
    try {
      held = await storeEntries(this.#db, batch, this.#unsure > 0)
      this.#observer.wrote?.(performance.now() - begun)
    } catch (error) {
      this.#observer.wrote?.(performance.now() - begun, error as Error)
      if (!isDataError(error)) {
        this.#unsure = Math.max(this.#unsure, batch.length)
        throw error
      }
      // One entry that can't be stored must not stop the others: halve the batch until it is alone.
      this.#most = Math.ceil(batch.length / 2)
      if (batch.length === 1) replaceByGap(batch[0] as Waiting)
      return
    }
    this.#most = BATCH_ENTRIES
    this.#waiting.splice(0, batch.length)
    this.#unsure = Math.max(0, this.#unsure - batch.length)
    this.#written += batch.length
    const stored: Entry[] = []
    for (const { run, entry, bytes } of batch) {
      this.#waitingBytes -= bytes
      if (held.get(entry.streamId) === entry.epoch) stored.push(entry)
      else run.fenced.abort()
    }
    for (const [run, entries] of byRun(batch)) if (!run.fenced.signal.aborted) this.#sums.stored(run, entries)
    if (stored.length > 0) this.#bus.publish({ type: 'entries.stored', entries: stored })
  }

  async #storeSums(): Promise<void> {
    if (!this.#sumsDue && !this.#sums.isUrgent) return
    const written = await this.#sums.write(this.#db)
    this.#sumsDue = false
    if (written.length > 0) this.#bus.publish({ type: 'stream.updated', streamIds: written.map(idOf) })
  }

  async #storeEvidence(): Promise<void> {
    const turned = [...this.#turned]
    if (turned.length === 0) return
    this.#turned.clear()
    try {
      const unwanted = await storeEvidence(this.#db, turned, this.#expect, this.#provenByLog())
      if (unwanted.length > 0) this.#bus.publish({ type: 'run.unwanted', streamIds: unwanted.map(idOf) })
    } catch (error) {
      for (const run of turned) this.#turned.add(run)
      throw error
    }
    this.#bus.publish({ type: 'stream.updated', streamIds: turned.map(idOf) })
  }

  /** What the log proves of runs that have entries which aren't written yet. */
  #provenByLog(): Map<Run, Proven> {
    const first = new Map<Run, Proven>()
    for (const { run, proven } of this.#waiting) if (!first.has(run)) first.set(run, proven)
    return first
  }
}

/** A timer like all others here, so that one clock decides when a write is due. */
function pause(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms))
}

function idOf({ stream }: Run): string {
  return stream.id
}

function byRun(batch: readonly Waiting[]): Map<Run, Entry[]> {
  const byRun = new Map<Run, Entry[]>()
  for (const { run, entry } of batch) {
    const entries = byRun.get(run)
    if (entries === undefined) byRun.set(run, [entry])
    else entries.push(entry)
  }
  return byRun
}

function toldApart({ paths: known }: Run, paths: readonly string[]): string[] {
  return paths.map((path) => {
    if (known.size < MAX_PATHS) known.add(path)
    return known.has(path) ? path : OTHER_PATHS
  })
}

/** The first entries that fit into one statement; they stay queued until they are durable. */
function takeBatch(waiting: readonly Waiting[], most: number): Waiting[] {
  let bytes = 0
  let count = 0
  for (const item of waiting) {
    bytes += item.bytes
    if (count > 0 && (count >= most || bytes > BATCH_BYTES)) break
    count++
  }
  return waiting.slice(0, count)
}

/**
 * Whether the database rejects the data itself (SQLSTATE classes 22, 23 and 54), so that a retry won't help; a
 * duplicate (23505) doesn't count.
 */
function isDataError(error: unknown): boolean {
  const state = sqlStateOf(error) ?? ''
  return state !== '23505' && /^(22|23|54)/.test(state)
}

function replaceByGap(item: Waiting): void {
  const { streamId, epoch, seq, at, kind } = item.entry
  const data = JSON.stringify({ reason: 'not_storable' satisfies GapReason, count: 1, kind })
  item.entry = { streamId, epoch, seq, at, kind: 'gap', wireBytes: 0, bodyBytes: 0, data }
}
