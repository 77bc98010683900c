import { inArray, sql } from 'drizzle-orm'
import { checkpoints } from '../../../drizzle/schema.ts'
import { checksWithin } from '../../core/judging/checks.ts'
import type { Spell } from '../../core/judging/spell.ts'
import { type Evidence, type Expectation, judge } from '../../core/judging/status.ts'
import type { Database } from '../../storage/storage.ts'
import type { Run } from '../ingest/run.ts'

/** The evidence from which the next run concludes what may be missing. */
export type Proven = Pick<Evidence, 'lastByteAt' | 'heardAt' | 'lastPollAt' | 'missedSince'>

export function provenOf({ evidence: { lastByteAt, heardAt, lastPollAt, missedSince } }: Run): Proven {
  return { lastByteAt, heardAt, lastPollAt, missedSince }
}

/**
 * Writes the evidence of runs and the status judged from it. Replaced runs are fenced off.
 * @param provenByLog of runs whose latest entries aren't in the log yet: they could still be lost
 * @returns runs whose stream should no longer run, in case the messages about it were lost
 */
export async function storeEvidence(
  db: Database,
  runs: readonly Run[],
  expect: (run: Run) => Expectation,
  provenByLog: ReadonlyMap<Run, Proven>,
): Promise<Run[]> {
  const now = Date.now()
  const written = runs.filter((run) => !run.fenced.signal.aborted)
  const rows = written.map((run) => {
    const expected = expect(run)
    const judged = judge(run.evidence, expected, now)
    const isSame = run.judged?.status === judged.status
    const since = isSame ? undefined : new Date(judged.since ?? now).toISOString()
    run.judged = judged
    run.evidence.degradedSince = judged.degradedSince
    const checks = checksWithin(run.evidence.checks, expected, now)
    return {
      stream_id: run.stream.id,
      epoch: run.epoch,
      evidence: { ...run.evidence, checks, ...provenByLog.get(run), writtenAt: now },
      status: judged.status,
      reason: judged.reason,
      since,
    }
  })
  const finished = written.map((run) => [run, run.spells] as const)
  const spells = finished.flatMap(([run, kept]) => kept.map((spell) => spellRow(run, spell)))
  const { rows: held } = (await db.execute(sql`
    WITH held AS (UPDATE weir.states AS state
    SET evidence = row.evidence,
      verdict = CASE WHEN stream.desired = 'running' THEN row.status ELSE state.verdict END,
      verdict_reason = CASE WHEN stream.desired = 'running' THEN row.reason ELSE state.verdict_reason END,
      verdict_since = CASE WHEN stream.desired = 'running' AND state.verdict <> row.status
        THEN coalesce(row.since, state.verdict_since) ELSE state.verdict_since END
    FROM json_to_recordset(${JSON.stringify(rows)}::json)
      AS row(stream_id uuid, epoch int, evidence jsonb, status text, reason text, since timestamptz)
    JOIN weir.streams AS stream ON stream.id = row.stream_id
    WHERE state.stream_id = row.stream_id AND state.epoch = row.epoch
    RETURNING state.stream_id, stream.desired = 'running' AS runs
    ), stored AS (
      INSERT INTO weir.spells (stream_id, epoch, from_at, to_at, state, is_silenced)
      SELECT stream_id, row.epoch, row.from_at, row.to_at, row.state, row.is_silenced
      FROM json_to_recordset(${JSON.stringify(spells)}::json)
        AS row(stream_id uuid, epoch int, from_at timestamptz, to_at timestamptz, state text, is_silenced boolean)
      JOIN held USING (stream_id)
      ON CONFLICT DO NOTHING
    )
    SELECT * FROM held`)) as { rows: { stream_id: string; runs: boolean }[] }
  for (const [run, kept] of finished) {
    run.spells = run.spells.filter((spell) => !kept.includes(spell))
    run.writtenAt = now
  }
  const known = new Set(held.flatMap((row) => (row.runs ? [row.stream_id] : [])))
  if (known.size === written.length) return []
  return findLost(
    db,
    written.filter((run) => !known.has(run.stream.id)),
  )
}

function spellRow({ stream, epoch }: Run, { from, to, state, isSilenced }: Spell) {
  return {
    stream_id: stream.id,
    epoch,
    from_at: new Date(from).toISOString(),
    to_at: new Date(to).toISOString(),
    state,
    is_silenced: isSilenced,
  }
}

/**
 * Rows that couldn't be written belong to another run by now, or shouldn't run.
 * @returns the latter
 */
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
