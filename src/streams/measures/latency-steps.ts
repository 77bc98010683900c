import { and, eq, gte, lt, sql } from 'drizzle-orm'
import { rollups } from '../../../drizzle/schema.ts'
import { STEPS_MS } from '../../core/measures.ts'
import type { Database } from '../../storage/storage.ts'
import { type Quantiles, quantilesOf } from './latencies.ts'
import type { StepOf, Window } from './measures.ts'

/** How long a stream's answers took in one step; there was at least one. */
export interface LatencyStep extends Quantiles {
  /** Answers measured. */
  answers: number
}

/**
 * How long a stream's answers took, step by step, as far back as minutes are kept.
 * @param stepMs whole minutes; steps begin at its multiples since the epoch
 */
export async function latencyStepsOf(
  db: Database,
  streamId: string,
  { from, to }: Window,
  stepMs: number,
): Promise<StepOf<LatencyStep>[]> {
  const seconds = stepMs / 1_000
  const at = sql<string>`date_bin(${sql.raw(`'${seconds} seconds'`)}::interval, ${rollups.minute}, 'epoch'::timestamptz)`
  const rows = await db
    .select({ at, latencies: sql<string>`encode(string_agg(${rollups.latencies}, ''::bytea), 'hex')` })
    .from(rollups)
    .where(
      and(
        eq(rollups.streamId, streamId),
        gte(rollups.minute, new Date(Math.floor(from.getTime() / STEPS_MS.minute) * STEPS_MS.minute)),
        lt(rollups.minute, to),
        sql`length(${rollups.latencies}) > 0`,
      ),
    )
    .groupBy(sql`1`)
    .orderBy(sql`1`)
  return rows.flatMap(({ at, latencies }) => {
    const quantiles = quantilesOf(latencies)
    return quantiles === undefined ? [] : [{ at: new Date(at), answers: latencies.length / 2, ...quantiles }]
  })
}
