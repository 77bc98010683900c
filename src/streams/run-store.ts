import { and, asc, eq, gte, inArray, sql } from 'drizzle-orm'
import { checkpoints, entries, runs, states, streams } from '../../drizzle/schema.ts'
import type { Evidence } from '../core/verdict.ts'
import type { Database } from '../storage/storage.ts'
import { rebuild } from './follow-document.ts'
import type { Followed, Run } from './run.ts'

/**
 * Begins a run: takes the next epoch, which fences off every earlier run, and reads where that one stopped.
 * @returns undefined when the stream is gone or shouldn't run.
 */
export async function beginRun(
  db: Database,
  streamId: string,
  worker: string,
  attempt: number,
): Promise<Run | undefined> {
  const since = new Date()
  const begun = await db.transaction(async (tx) => {
    const [checkpoint] = await tx
      .update(checkpoints)
      .set({ epoch: sql`${checkpoints.epoch} + 1` })
      .from(streams)
      .where(
        and(eq(checkpoints.streamId, streamId), eq(streams.id, streamId), eq(streams.desired, 'running')),
      )
      .returning()
    if (checkpoint === undefined) return undefined
    const row = checkpoint as typeof checkpoints.$inferSelect
    const { epoch } = row
    const [state] = await tx
      .update(states)
      .set({ epoch, worker, attempt, runSince: since })
      .where(eq(states.streamId, streamId))
      .returning({ evidence: states.evidence })
    await tx.insert(runs).values({ streamId, epoch, worker, startedAt: since })
    const [stream] = await tx.select().from(streams).where(eq(streams.id, streamId))
    return stream && { stream, checkpoint: row, evidence: state?.evidence as Evidence | undefined }
  })
  if (begun === undefined) return undefined
  const { stream, checkpoint, evidence } = begun
  return {
    stream,
    epoch: checkpoint.epoch,
    worker,
    since: since.getTime(),
    checkpoint: {
      seq: checkpoint.seq,
      snapshotSeq: checkpoint.snapshotSeq ?? undefined,
      bodyHash: checkpoint.bodyHash ?? undefined,
      lastEventId: checkpoint.lastEventId ?? undefined,
      etag: checkpoint.etag ?? undefined,
      lastModified: checkpoint.lastModified ?? undefined,
    },
    followed: await loadDocument(db, streamId, checkpoint.snapshotSeq),
    evidence: { ...(evidence ?? { failures: 0 }), phase: 'connecting', phaseSince: since.getTime() },
    judged: undefined,
    dropped: undefined,
    fenced: new AbortController(),
  }
}

/** Ends a run: says when and why, and that nobody holds the stream, unless another run does already. */
export async function endRun(db: Database, run: Run, reason: string): Promise<void> {
  const streamId = run.stream.id
  await db
    .update(runs)
    .set({ endedAt: new Date(), endReason: reason })
    .where(and(eq(runs.streamId, streamId), eq(runs.epoch, run.epoch)))
  await db
    .update(states)
    .set({ worker: null })
    .where(and(eq(states.streamId, streamId), eq(states.epoch, run.epoch)))
}

/** The document as of the last entry, rebuilt from its snapshot; where that fails, the run begins with a new one. */
async function loadDocument(
  db: Database,
  streamId: string,
  snapshotSeq: number | null,
): Promise<Followed | undefined> {
  if (snapshotSeq === null) return undefined
  const rows = await db
    .select({ data: entries.data })
    .from(entries)
    .where(
      and(
        eq(entries.streamId, streamId),
        gte(entries.seq, snapshotSeq),
        inArray(entries.kind, ['snapshot', 'patch']),
      ),
    )
    .orderBy(asc(entries.seq))
  const [snapshot, ...patches] = rows.map((row) => row.data ?? '')
  if (snapshot === undefined) return undefined
  try {
    return rebuild(snapshot, patches)
  } catch {
    return undefined
  }
}
