import { inArray, sql } from 'drizzle-orm'
import { checkpoints } from '../../drizzle/schema.ts'
import { EVIDENCE_EVERY_MS, type Expectation, judge } from '../core/verdict.ts'
import type { Database } from '../storage/storage.ts'
import type { Draft, Entry } from './entry.ts'
import type { Checkpoint, Run } from './run.ts'
import { runKey, storeEntries, type ToStore } from './store-entries.ts'
import { Sums } from './summing.ts'

/**
 * How long an entry waits for company before it is written, in milliseconds: a transaction costs as much as some dozen
 * entries, so that the more they take, the longer it is.
 */
const MIN_GATHER_MS = 25
const MAX_GATHER_MS = 100
/** Waits are this many times what the last write took. */
const GATHER_PER_WRITE = 10
/** How often sums whose turn didn't come with any entries are written, in milliseconds. */
const SUM_EVERY_MS = 1_000
/** Most entries in one transaction. */
const BATCH_ENTRIES = 1_000
/** Most bytes of data in one transaction, beyond its first entry. */
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
  /** A write failed and will be tried again. */
  failing?(error: Error, waiting: number): void
}

interface Waiting extends ToStore {
  run: Run
  bytes: number
}

/**
 * Writes what the runs of this process have to say, many streams in one transaction. A batch carries each run's
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
  /** Sums are to be written though no entries are. */
  #sumsDue = false
  #gather: Timer | undefined
  #gatherMs = MIN_GATHER_MS
  #writing: Promise<void> | undefined
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
      this.#write()
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
    while (!done() && Date.now() < deadline && !this.#closed) {
      this.#write()
      await Promise.race([this.#batchDone.promise, late.promise])
    }
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

  /** Starts writing, one batch after the other, until nothing waits. */
  #write(): void {
    this.#writing ??= this.#drain().finally(() => {
      this.#writing = undefined
    })
  }

  async #drain(): Promise<void> {
    clearTimeout(this.#gather)
    this.#gather = undefined
    let retryMs = RETRY_MS
    let most = BATCH_ENTRIES
    while (this.#hasWork() && !this.#closed) {
      const batch = takeBatch(this.#waiting, most)
      const turned = [...this.#turned]
      const begun = performance.now()
      try {
        await this.#writeBatch(batch, turned)
        const tookMs = performance.now() - begun
        this.#gatherMs = Math.min(MAX_GATHER_MS, Math.max(MIN_GATHER_MS, tookMs * GATHER_PER_WRITE))
        this.#batchDone.resolve()
        this.#batchDone = Promise.withResolvers()
        retryMs = RETRY_MS
        most = BATCH_ENTRIES
      } catch (error) {
        for (const run of turned) this.#turned.add(run)
        if (isDataError(error) && batch.length > 0) {
          // One entry that can't be stored must not stop the others: halve until it is alone.
          most = Math.ceil(batch.length / 2)
          if (batch.length === 1) replaceByGap(batch[0] as Waiting)
          continue
        }
        this.#events.failing?.(error as Error, this.#waiting.length)
        await Bun.sleep(retryMs)
        retryMs = Math.min(retryMs * 2, MAX_RETRY_MS)
      }
    }
  }

  #hasWork(): boolean {
    return this.#waiting.length > 0 || this.#turned.size > 0 || this.#sumsDue || this.#sums.isUrgent
  }

  async #writeBatch(batch: readonly Waiting[], turned: readonly Run[]): Promise<void> {
    this.#turned.clear()
    if (batch.length > 0 || this.#sums.isOwing) await this.#storeBatch(batch)
    this.#sumsDue = false
    if (turned.length > 0) {
      await this.#storeEvidence(turned.filter((run) => !run.fenced.signal.aborted))
      this.#events.changed(turned.map((run) => run.stream.id))
    }
  }

  async #storeBatch(batch: readonly Waiting[]): Promise<void> {
    const { held, summing } = await this.#db.transaction(async (tx) => {
      const held = batch.length > 0 ? await storeEntries(tx, batch) : new Set<string>()
      const stored = batch.filter(({ entry }) => held.has(runKey(entry)))
      return { held, summing: await this.#sums.write(tx, byRun(stored)) }
    })
    this.#waiting.splice(0, batch.length)
    this.#written += batch.length
    const stored: Entry[] = []
    for (const { run, entry, bytes } of batch) {
      this.#waitingBytes -= bytes
      if (held.has(runKey(entry))) stored.push(entry)
      else run.fenced.abort()
    }
    if (stored.length > 0) this.#events.stored(stored)
    await this.#sums.committed(this.#db, summing)
    const fresh = new Set(batch.map(({ run }) => run))
    const later = summing.written.filter((run) => !fresh.has(run))
    if (later.length > 0) this.#events.changed(later.map((run) => run.stream.id))
  }

  async #storeEvidence(turned: readonly Run[]): Promise<void> {
    const now = Date.now()
    const unwritten = this.#firstUnwritten()
    const rows = turned.map((run) => {
      const judged = judge(run.evidence, this.#expect(run), now)
      const since = run.judged?.verdict === judged.verdict ? undefined : new Date(now).toISOString()
      run.judged = judged
      return {
        stream_id: run.stream.id,
        epoch: run.epoch,
        evidence: { ...provenBy(run, unwritten.get(run)), writtenAt: now },
        verdict: judged.verdict,
        reason: judged.reason,
        since,
      }
    })
    const written = (await this.#db.execute(sql`
      UPDATE weir.states AS state
      SET evidence = row.evidence, verdict = row.verdict, verdict_reason = row.reason,
        verdict_since = coalesce(row.since, state.verdict_since)
      FROM json_to_recordset(${JSON.stringify(rows)}::json)
        AS row(stream_id uuid, epoch int, evidence jsonb, verdict text, reason text, since timestamptz)
      JOIN weir.streams AS stream ON stream.id = row.stream_id AND stream.desired = 'running'
      WHERE state.stream_id = row.stream_id AND state.epoch = row.epoch
      RETURNING state.stream_id`)) as { rows: { stream_id: string }[] }
    if (written.rows.length < turned.length) await this.#findLost(turned, written.rows)
  }

  /** When the first entry was made that still waits, by run. */
  #firstUnwritten(): Map<Run, number> {
    const first = new Map<Run, number>()
    for (const { run, entry } of this.#waiting) if (!first.has(run)) first.set(run, entry.at)
    return first
  }

  /** What could not be written is another run's by now, or should not run: messages that said so may have been lost. */
  async #findLost(turned: readonly Run[], written: readonly { stream_id: string }[]): Promise<void> {
    const known = new Set(written.map((row) => row.stream_id))
    const missing = turned.filter((run) => !known.has(run.stream.id))
    const ids = missing.map((run) => run.stream.id)
    const rows = await this.#db
      .select({ id: checkpoints.streamId, epoch: checkpoints.epoch })
      .from(checkpoints)
      .where(inArray(checkpoints.streamId, ids))
    const epochs = new Map(rows.map((row) => [row.id, row.epoch]))
    for (const run of missing) {
      if (epochs.get(run.stream.id) === run.epoch) this.#events.unwanted(run.stream.id)
      else run.fenced.abort()
    }
  }
}

/**
 * The evidence as far as the log bears it out: the next run takes the last byte for the moment up to which nothing is
 * missing, and what still waits could yet be lost.
 */
function provenBy({ evidence }: Run, unwrittenAt: number | undefined): Run['evidence'] {
  if (unwrittenAt === undefined || evidence.lastByteAt === undefined) return evidence
  return { ...evidence, lastByteAt: Math.min(evidence.lastByteAt, unwrittenAt) }
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

/** The first entries that fit in one transaction; they stay in the queue until they are durable. */
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

/** Whether the database refuses the data itself (SQLSTATE classes 22, 23 and 54), so that trying again won't help. */
function isDataError(error: unknown): boolean {
  const code = (error as { code?: unknown }).code ?? (error as { cause?: { code?: unknown } }).cause?.code
  return typeof code === 'string' && /^(22|23|54)/.test(code)
}

function replaceByGap(item: Waiting): void {
  const { streamId, epoch, seq, at, kind } = item.entry
  const data = JSON.stringify({ reason: 'not_storable', count: 1, kind })
  item.entry = { streamId, epoch, seq, at, kind: 'gap', wireBytes: 0, bodyBytes: 0, data }
}
