import { eq, inArray } from 'drizzle-orm'
import { checkpoints, streams } from '../../../drizzle/schema.ts'
import type { Database } from '../../storage/storage.ts'
import type { Run, Stream } from './run.ts'

/** Most runs checked in one statement. */
const BATCH = 500

/**
 * Fences runs that were replaced.
 * @returns other runs whose stream was stopped, changed or removed since they started
 */
export async function outdatedRuns(db: Database, runs: readonly Run[]): Promise<Run[]> {
  const outdated: Run[] = []
  for (let from = 0; from < runs.length; from += BATCH)
    outdated.push(...(await findOutdated(db, runs.slice(from, from + BATCH))))
  return outdated
}

async function findOutdated(db: Database, runs: readonly Run[]): Promise<Run[]> {
  const ids = runs.map((run) => run.stream.id)
  const rows = await db
    .select({ stream: streams, epoch: checkpoints.epoch })
    .from(streams)
    .innerJoin(checkpoints, eq(checkpoints.streamId, streams.id))
    .where(inArray(streams.id, ids))
  const stored = new Map(rows.map((row) => [row.stream.id, row]))
  const isReplaced = (run: Run) => (stored.get(run.stream.id)?.epoch ?? 0) > run.epoch
  for (const run of runs) if (isReplaced(run)) run.fenced.abort()
  return runs.filter((run) => !isReplaced(run) && !isCurrent(run.stream, stored.get(run.stream.id)?.stream))
}

/** Whether a run still follows its stream as it should. It doesn't use the tags, which many streams get at once. */
function isCurrent(followed: Stream, stored: Stream | undefined): boolean {
  if (stored?.desired !== 'running') return false
  const { tags, updatedAt } = followed
  return Bun.deepEquals({ ...stored, tags, updatedAt }, followed)
}
