import { inArray, sql } from 'drizzle-orm'
import { checkpoints } from '../../../drizzle/schema.ts'
import { type Expectation, judge } from '../../core/judging/verdict.ts'
import type { Database } from '../../storage/storage.ts'
import type { Run } from '../ingest/run.ts'

/**
 * Writes what runs have seen, and what is concluded from it. Runs that were replaced are fenced off.
 * @param unwritten when the first entry was made that is not in the log yet, by run, in milliseconds since the epoch
 * @returns runs whose stream should not run any more: messages that said so may have been lost
 */
export async function storeEvidence(
  db: Database,
  runs: readonly Run[],
  expect: (run: Run) => Expectation,
  unwritten: ReadonlyMap<Run, number>,
): Promise<Run[]> {
  const now = Date.now()
  const written = runs.filter((run) => !run.fenced.signal.aborted)
  const rows = written.map((run) => {
    const judged = judge(run.evidence, expect(run), now)
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
  const { rows: held } = (await db.execute(sql`
    UPDATE weir.states AS state
    SET evidence = row.evidence, verdict = row.verdict, verdict_reason = row.reason,
      verdict_since = coalesce(row.since, state.verdict_since)
    FROM json_to_recordset(${JSON.stringify(rows)}::json)
      AS row(stream_id uuid, epoch int, evidence jsonb, verdict text, reason text, since timestamptz)
    JOIN weir.streams AS stream ON stream.id = row.stream_id AND stream.desired = 'running'
    WHERE state.stream_id = row.stream_id AND state.epoch = row.epoch
    RETURNING state.stream_id`)) as { rows: { stream_id: string }[] }
  if (held.length === written.length) return []
  const known = new Set(held.map((row) => row.stream_id))
  return findLost(
    db,
    written.filter((run) => !known.has(run.stream.id)),
  )
}

/** What could not be written is another run's by now, or should not run. @returns those of the latter */
async function findLost(db: Database, missing: readonly Run[]): Promise<Run[]> {
  const ids = missing.map((run) => run.stream.id)
  const rows = await db
    .select({ id: checkpoints.streamId, epoch: checkpoints.epoch })
    .from(checkpoints)
    .where(inArray(checkpoints.streamId, ids))
  const epochs = new Map(rows.map((row) => [row.id, row.epoch]))
  const isCurrent = (run: Run) => epochs.get(run.stream.id) === run.epoch
  for (const run of missing) if (!isCurrent(run)) run.fenced.abort()
  return missing.filter(isCurrent)
}

/**
 * The evidence as far as the log bears it out: the next run takes the last byte for the moment up to which nothing is
 * missing, and what still waits could yet be lost.
 */
function provenBy({ evidence }: Run, unwrittenAt: number | undefined): Run['evidence'] {
  if (unwrittenAt === undefined || evidence.lastByteAt === undefined) return evidence
  return { ...evidence, lastByteAt: Math.min(evidence.lastByteAt, unwrittenAt) }
}
