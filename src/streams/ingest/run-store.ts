import { eq, inArray, sql } from 'drizzle-orm'
import { checkpoints, streams } from '../../../drizzle/schema.ts'
import type { Bus } from '../../bus/bus.ts'
import type { StartedRun } from '../../bus/events.ts'
import { batched } from '../../core/batch.ts'
import type { Spell } from '../../core/judging/spell.ts'
import type { Evidence } from '../../core/judging/status.ts'
import type { Database } from '../../storage/storage.ts'
import { readChainTexts, versionsIn } from '../documents/versions.ts'
import { LARGE_CHARS, type LargeDocuments } from '../large/documents.ts'
import { emptyDelta, type RollupDelta } from '../measures/rollup-delta.ts'
import { owedTallies } from '../recording/store-rollups.ts'
import { isRun } from '../status/is-run.ts'
import { rebuild } from './follow-document.ts'
import { outdatedRuns } from './outdated-runs.ts'
import type { Run } from './run.ts'

/** Maximum number of runs started or ended in one statement. */
const BATCH = 500

export interface Beginning {
  streamId: string
  /** Which attempt of its job this is, from 1. */
  attempt: number
  /** Takes over the stream even if another worker runs it; otherwise only a stream that no worker runs. */
  takeOver: boolean
}

export interface Ending {
  run: Run
  reason: string
}

/** Starts and ends runs. The epoch decides who may write to a stream. */
export interface RunStore {
  /**
   * Starts a run: takes the next epoch, which fences every earlier run, and reads its checkpoint.
   * @returns undefined if the stream is gone, shouldn't run, or is run by another worker.
   */
  begin(beginning: Beginning): Promise<Run | undefined>
  /** Ends a run: records when and why, and that no worker runs the stream, unless another run has started already. */
  end(ending: Ending): Promise<void>
  /**
   * Fences runs that were replaced.
   * @returns other runs whose stream was stopped, changed or removed since they started
   */
  outdated(runs: readonly Run[]): Promise<Run[]>
}

/**
 * Publishes `run.started`, so that other processes end theirs at once.
 * @param large rebuilds the documents that are large
 */
export function runStore(
  db: Database,
  worker: string,
  bus: Bus,
  large: Pick<LargeDocuments, 'rebuild'>,
): RunStore {
  const beginOne = batched(async (items: readonly Beginning[]) => {
    const begun = await beginAll(db, worker, items)
    const runs = begun.flatMap((one): StartedRun[] => (one ? [[one.stream.id, one.checkpoint.epoch]] : []))
    if (runs.length > 0) bus.publish({ type: 'run.started', runs })
    return begun
  }, BATCH)
  return {
    async begin(beginning) {
      const begun = await beginOne(beginning)
      return begun && openRun(db, worker, begun, large)
    },
    end: batched((items: readonly Ending[]) => endAll(db, items), BATCH),
    outdated: (runs) => outdatedRuns(db, runs),
  }
}

interface Begun {
  stream: Run['stream']
  checkpoint: typeof checkpoints.$inferSelect
  evidence: Evidence
  since: Date
  unsummed: RollupDelta
}

async function beginAll(
  db: Database,
  worker: string,
  items: readonly Beginning[],
): Promise<(Begun | undefined)[]> {
  const since = new Date()
  const rows = JSON.stringify(
    items.map(({ streamId, attempt, takeOver }) => ({ id: streamId, attempt, take_over: takeOver })),
  )
  const begun = (await db.execute(sql`
    WITH wanted AS (
      SELECT * FROM json_to_recordset(${rows}::json) AS row(id uuid, attempt int, take_over boolean)
    ), next AS (
      UPDATE weir.checkpoints AS checkpoint SET epoch = checkpoint.epoch + 1
      FROM wanted
      JOIN weir.streams AS stream ON stream.id = wanted.id AND stream.desired = 'running' AND ${isRun('stream')}
      JOIN weir.states AS state ON state.stream_id = wanted.id
      WHERE checkpoint.stream_id = wanted.id
        AND (wanted.take_over OR state.worker IS NULL OR state.worker = ${worker})
      RETURNING checkpoint.stream_id, checkpoint.epoch, wanted.attempt
    ), logged AS (
      INSERT INTO weir.runs (stream_id, epoch, worker, started_at)
      SELECT stream_id, epoch, ${worker}, ${since.toISOString()}::timestamptz FROM next
    )
    UPDATE weir.states AS state
    SET epoch = next.epoch, worker = ${worker}, attempt = next.attempt, run_since = ${since.toISOString()}::timestamptz
    FROM next WHERE state.stream_id = next.stream_id
    RETURNING state.stream_id, next.epoch, state.evidence`)) as {
    rows: { stream_id: string; epoch: number; evidence: Evidence }[]
  }
  const ids = begun.rows.map((row) => row.stream_id)
  if (ids.length === 0) return items.map(() => undefined)
  const defined = await db
    .select({ stream: streams, checkpoint: checkpoints })
    .from(streams)
    .innerJoin(checkpoints, eq(checkpoints.streamId, streams.id))
    .where(inArray(streams.id, ids))
  const byId = new Map(defined.map((row) => [row.stream.id, row]))
  const states = new Map(begun.rows.map((row) => [row.stream_id, row]))
  // No earlier epoch can write any more, so the log is complete up to here.
  const unsummed = await owedTallies(
    db,
    defined.map((row) => row.checkpoint),
  )
  return items.map(({ streamId }) => {
    const [row, state] = [byId.get(streamId), states.get(streamId)]
    // Another run has started elsewhere since: that one continues. The first write would have revealed it anyway.
    if (row === undefined || state === undefined || row.checkpoint.epoch !== state.epoch) return undefined
    const known = unsummed.get(streamId)
    const isOwing = known !== undefined && known.minutes.size > 0
    const tally = isOwing ? known : emptyDelta(row.checkpoint.summedSeq, state.evidence.lastPollAt)
    return { ...row, evidence: state.evidence, since, unsummed: tally }
  })
}

async function openRun(
  db: Database,
  worker: string,
  begun: Begun,
  large: Pick<LargeDocuments, 'rebuild'>,
): Promise<Run> {
  const { stream, checkpoint, evidence, since, unsummed } = begun
  const followed = await loadDocument(db, stream.id, checkpoint.snapshotSeq, large)
  // Without its document, the next poll must fetch all of it, even if nothing has changed.
  const isLost = checkpoint.snapshotSeq !== null && followed === undefined
  return {
    stream,
    epoch: checkpoint.epoch,
    worker,
    since: since.getTime(),
    checkpoint: {
      seq: checkpoint.seq,
      snapshotSeq: checkpoint.snapshotSeq ?? undefined,
      bodyHash: (!isLost && checkpoint.bodyHash) || undefined,
      plainBytes: checkpoint.plainBytes ?? undefined,
      gzipBytes: checkpoint.gzipBytes ?? undefined,
      lastEventId: checkpoint.lastEventId ?? undefined,
      etag: (!isLost && checkpoint.etag) || undefined,
      lastModified: (!isLost && checkpoint.lastModified) || undefined,
      cookies: (stream.auth?.cookies === 'stream' && checkpoint.cookies) || undefined,
    },
    followed,
    evidence: {
      ...evidence,
      writtenAt: undefined,
      spell: undefined,
      phase: 'connecting',
      phaseSince: since.getTime(),
    },
    judged: undefined,
    dropped: undefined,
    unsummed,
    spells: leftOpen(evidence),
    writtenAt: undefined,
    paths: new Set(),
    fenced: new AbortController(),
  }
}

/** The spell that the run before left open: it lasted until the last word about it. */
function leftOpen({ spell, writtenAt }: Evidence): Spell[] {
  if (spell === undefined || writtenAt === undefined || writtenAt <= spell.from) return []
  return [{ ...spell, to: writtenAt }]
}

async function endAll(db: Database, items: readonly Ending[]): Promise<undefined[]> {
  const rows = JSON.stringify(
    items.map(({ run, reason }) => ({ stream_id: run.stream.id, epoch: run.epoch, reason })),
  )
  await db.execute(sql`
    WITH ended AS (
      SELECT * FROM json_to_recordset(${rows}::json) AS row(stream_id uuid, epoch int, reason text)
    ), logged AS (
      UPDATE weir.runs AS run SET ended_at = now(), end_reason = ended.reason
      FROM ended WHERE run.stream_id = ended.stream_id AND run.epoch = ended.epoch
    )
    UPDATE weir.states AS state SET worker = NULL
    FROM ended WHERE state.stream_id = ended.stream_id AND state.epoch = ended.epoch`)
  return items.map(() => undefined)
}

/** The document as of the last entry, rebuilt from its snapshot; if that fails, the run starts with a new one. */
async function loadDocument(
  db: Database,
  streamId: string,
  snapshotSeq: number | null,
  large: Pick<LargeDocuments, 'rebuild'>,
): Promise<Run['followed']> {
  if (snapshotSeq === null) return undefined
  const [snapshot, ...patches] = await readChainTexts(versionsIn(db), streamId, snapshotSeq)
  if (snapshot === undefined) return undefined
  const chars = patches.reduce((sum, { length }) => sum + length, snapshot.length)
  if (chars > LARGE_CHARS) return large.rebuild(snapshot, patches)
  try {
    return rebuild(snapshot, patches)
  } catch {
    return undefined
  }
}
