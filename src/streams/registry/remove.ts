import { and, eq, inArray } from 'drizzle-orm'
import { entries, streams } from '../../../drizzle/schema.ts'
import type { Database } from '../../storage/storage.ts'
import { deleteBodies } from '../recording/bodies.ts'

/** Rows of a log removed in one statement, so that recording continues in between. */
const DELETE_STEP = 10_000

/**
 * Removes a stream with everything recorded for it, except bodies that other streams recorded too.
 * @param gone called once the stream is gone, while its log is still being removed
 */
export async function removeStream(db: Database, id: string, gone: () => void = () => {}): Promise<void> {
  await db.delete(streams).where(eq(streams.id, id))
  gone()
  await removeLog(db, id)
}

/** Removes the log of a stream that is gone. */
export async function removeLog(db: Database, id: string): Promise<void> {
  for (;;) {
    const step = db
      .select({ seq: entries.seq })
      .from(entries)
      .where(eq(entries.streamId, id))
      .limit(DELETE_STEP)
    const removed = await db
      .delete(entries)
      .where(and(eq(entries.streamId, id), inArray(entries.seq, step)))
      .returning({ at: entries.at, bodyKey: entries.bodyKey })
    await deleteBodies(db, removed)
    if (removed.length < DELETE_STEP) return
  }
}
