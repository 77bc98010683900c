import { EVIDENCE_EVERY_MS, type Expectation } from '../../core/judging/verdict.ts'
import { sqlStateOf } from '../../storage/sql-state.ts'
import type { Database } from '../../storage/storage.ts'
import type { Checkpoint, Run } from '../ingest/run.ts'
import { Sums } from '../measures/summing.ts'
import type { Draft, Entry } from './entry.ts'
import { storeEntries, type ToStore } from './store-entries.ts'
import { storeEvidence } from './store-evidence.ts'

/**
 * How long an entry waits for company before it is written, in milliseconds: a statement costs as much as some dozen
 * entries, so that the more they take, the longer it is.
 */
const MIN_GATHER_MS = 25
const MAX_GATHER_MS = 150
/** Waits are this many times what the last write took. */
const GATHER_PER_WRITE = 20
/** How often sums are written, unless somebody waits for them, in milliseconds. */
const SUM_EVERY_MS = 250
/** Most entries in one statement. */
const BATCH_ENTRIES = 1_000
/** Most bytes of data in one statement, beyond its first entry. */
const BATCH_BYTES = 4_194_304
/** What may wait while the database doesn't answer. Beyond either, entries are dropped and told in a `gap`. */
const MAX_WAITING_ENTRIES = 100_000
const MAX_WAITING_BYTES = 134_217_728
/** First wait after a failed write, and the longest, in milliseconds. */
const RETRY_MS = 250
const MAX_RETRY_MS = 5_000
/** Paths whose changes are told apart in one run; those of all others are counted together. */
const MAX_PATHS = 100
/** What stands for those: no JSON Pointer begins like it. */
const OTHER_PATHS = '*'
/** Longest wait for what a run still has to say when it ends, in milliseconds. */
const SETTLE_MS = 3_000

/** What the recorder tells about what it wrote, after it is durable. */
export interface RecorderEvents {
  stored(entries: readonly Entry[]): void
  /** Verdict or evidence of these streams changed, or sums of theirs came later than their entries. */
  changed(streamIds: readonly string[]): void
  /** The stream should not run, or not as this run does. */
  unwanted(streamId: string): void
  /** Entries were written, or could not be: how long that took, in milliseconds, and why it failed. */
  wrote?(tookMs: number, error?: Error): void
  /** A write failed and will be tried again. */
  failing?(error: Error, waiting: number): void
}

interface Waiting extends ToStore {
  run: Run
  bytes: number
}

/**
 * Writes what the runs of this process have to say, many streams in one statement. A batch carries each run's
 * epoch: the runs that were replaced meanwhile write nothing and are told to stop.
 */
export class Recorder {
  readonly #db: Database
  readonly #events: RecorderEvents
  readonly #expect: (run: Run) => Expectation
  #waiting: Waiting[] = []
  #waitingBytes = 0
  /** Runs whose evidence is to be written with the next batch. */
  readonly #turned = new Set<Run>()
  /** Runs that have seen something since their evidence was last written. */
  readonly #touched = new Set<Run>()
  readonly #evidenceTimer: Timer
  readonly #sums = new Sums()
  readonly #sumTimer: Timer
  #sumsDue = false
  /** Most entries in the next statement: fewer while one is looked for that can't be stored. */
  #most = BATCH_ENTRIES
  #gather: Timer | undefined
  #gatherMs = MIN_GATHER_MS
  #writing: Promise<void> | undefined
  /** How many wait until something is durable: there is no gathering meanwhile. */
  #awaited = 0
  /** How many of the first that wait may be in the log already: whether their write failed isn't known. */
  #unsure = 0
  #closed = false
  /** Entries ever queued, and ever written or refused: they leave in the order they came. */
  #appended = 0
  #written = 0
  /** Resolves with every batch. */
  #batchDone = Promise.withResolvers<void>()

  constructor(db: Database, expect: (run: Run) => Expectation, events: RecorderEvents) {
    this.#db = db
    this.#expect = expect
    this.#events = events
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

  /** How many entries wait to be written. */
  get waiting(): number {
    return this.#waiting.length
  }

  /**
   * Numbers an entry and queues it.
   * @returns false when there is no room: the entry is gone, and the run's next one is preceded by a `gap`.
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

  /** Has the run's evidence written soon: now if people should see the change, else with the others. */
  touch(run: Run, turned: boolean): void {
    if (!turned) {
      this.#touched.add(run)
      return
    }
    this.#turned.add(run)
    this.#schedule()
  }

  /**
   * Waits until everything appended so far, its sums and the run's evidence are durable; no longer than `deadlineMs`.
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

  /** Waits until everything appended so far is written or refused. @throws the signal's reason when it aborts first */
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
    const deadline = Date.now() + deadlineMs
    this.#awaited++
    while (!done() && Date.now() < deadline && !this.#closed) {
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
    this.#waiting.push({ run, entry, checkpoint: run.checkpoint, bytes })
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
      reason: 'buffer_full',
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

  /** Starts writing. What comes meanwhile is gathered anew, unless it makes a whole batch or somebody waits. */
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
        isUrgent = this.#awaited > 0 || this.#waiting.length >= BATCH_ENTRIES || this.#most < BATCH_ENTRIES
      } catch (error) {
        this.#events.failing?.(error as Error, this.#waiting.length)
        await Bun.sleep(retryMs)
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
      this.#events.wrote?.(performance.now() - begun)
    } catch (error) {
      this.#events.wrote?.(performance.now() - begun, error as Error)
      if (!isDataError(error)) {
        this.#unsure = Math.max(this.#unsure, batch.length)
        throw error
      }
      // One entry that can't be stored must not stop the others: halve until it is alone.
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
    if (stored.length > 0) this.#events.stored(stored)
  }

  async #storeSums(): Promise<void> {
    if (!this.#sumsDue && !this.#sums.isUrgent) return
    const written = await this.#sums.write(this.#db)
    this.#sumsDue = false
    if (written.length > 0) this.#events.changed(written.map((run) => run.stream.id))
  }

  async #storeEvidence(): Promise<void> {
    const turned = [...this.#turned]
    if (turned.length === 0) return
    this.#turned.clear()
    try {
      const unwanted = await storeEvidence(this.#db, turned, this.#expect, this.#firstUnwritten())
      for (const { stream } of unwanted) this.#events.unwanted(stream.id)
    } catch (error) {
      for (const run of turned) this.#turned.add(run)
      throw error
    }
    this.#events.changed(turned.map((run) => run.stream.id))
  }

  /** When the first entry was made that still waits, by run. */
  #firstUnwritten(): Map<Run, number> {
    const first = new Map<Run, number>()
    for (const { run, entry } of this.#waiting) if (!first.has(run)) first.set(run, entry.at)
    return first
  }
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

/** The first entries that fit in one statement; they stay in the queue until they are durable. */
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
 * Whether the database refuses the data itself (SQLSTATE classes 22, 23 and 54), so that trying again won't help; not
 * that it has them already (23505).
 */
function isDataError(error: unknown): boolean {
  const state = sqlStateOf(error) ?? ''
  return state !== '23505' && /^(22|23|54)/.test(state)
}

function replaceByGap(item: Waiting): void {
  const { streamId, epoch, seq, at, kind } = item.entry
  const data = JSON.stringify({ reason: 'not_storable', count: 1, kind })
  item.entry = { streamId, epoch, seq, at, kind: 'gap', wireBytes: 0, bodyBytes: 0, data }
}
