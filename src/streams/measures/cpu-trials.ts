import { desc, eq, sql } from 'drizzle-orm'
import { cpuTrials } from '../../../drizzle/schema.ts'
import { type CpuTrial, savedByTrial } from '../../core/cpu/trial.ts'
import { transact } from '../../storage/errors/sql-state.ts'
import type { Database } from '../../storage/storage.ts'

/** Measurements kept for each stream; older ones are dropped. */
export const CPU_TRIALS_KEPT = 10

/** A stored measurement, with what follows from it. */
export interface StoredCpuTrial extends CpuTrial {
  /** When it was stored. */
  at: Date
  saved: ReturnType<typeof savedByTrial>
}

/** Stores what `weir bench` measured. Drops the oldest beyond {@link CPU_TRIALS_KEPT}. */
export async function addCpuTrial(
  db: Database,
  streamId: string,
  result: CpuTrial,
  at: Date,
): Promise<StoredCpuTrial> {
  await transact(db, async (tx) => {
    const target = [cpuTrials.streamId, cpuTrials.at]
    await tx
      .insert(cpuTrials)
      .values({ streamId, at, result })
      .onConflictDoUpdate({ target, set: { result } })
    await tx.execute(sql`DELETE FROM ${cpuTrials} WHERE stream_id = ${streamId}::uuid AND at NOT IN (
      SELECT at FROM ${cpuTrials} WHERE stream_id = ${streamId}::uuid ORDER BY at DESC LIMIT ${CPU_TRIALS_KEPT})`)
  })
  return stored(result, at)
}

/** Of one stream, the newest first. */
export async function readCpuTrials(db: Database, streamId: string): Promise<StoredCpuTrial[]> {
  const rows = await db
    .select()
    .from(cpuTrials)
    .where(eq(cpuTrials.streamId, streamId))
    .orderBy(desc(cpuTrials.at))
  return rows.map(({ result, at }) => stored(result, at))
}

/** The newest of each stream, by its ID; those that were never measured are left out. */
export async function lastCpuTrials(
  db: Database,
  ids: readonly string[],
): Promise<Map<string, StoredCpuTrial>> {
  const rows = await db
    .selectDistinctOn([cpuTrials.streamId])
    .from(cpuTrials)
    .where(sql`${cpuTrials.streamId} = ANY (${`{${ids.join(',')}}`}::uuid[])`)
    .orderBy(cpuTrials.streamId, desc(cpuTrials.at))
  return new Map(rows.map(({ streamId, result, at }) => [streamId, stored(result, at)]))
}

function stored(result: CpuTrial, at: Date): StoredCpuTrial {
  return { at, ...result, saved: savedByTrial(result) }
}
