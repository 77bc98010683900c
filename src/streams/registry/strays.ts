import { sql } from 'drizzle-orm'
import { listPartitions, partitionName } from '../../storage/partitions.ts'
import type { Database } from '../../storage/storage.ts'
import { removeLog } from './remove.ts'

/**
 * Removes what is left of the logs of removed streams: whoever was killed or lost the database meanwhile had removed the stream,
 * but not yet all of its log. One index lookup for each stream and day.
 * @param signal ends it after the statement in progress
 * @returns how many streams left something
 */
export async function removeStrays(db: Database, signal?: AbortSignal): Promise<number> {
  const found = new Set<string>()
  for (const { table, day } of await listPartitions(db, ['entries'])) {
    if (signal?.aborted) break
    for (const id of await straysIn(db, day === 'rest' ? `${table}_rest` : partitionName(table, day))) {
      if (signal?.aborted) break
      if (!found.has(id)) await removeLog(db, id)
      found.add(id)
    }
  }
  return found.size
}

/** @see https://wiki.postgresql.org/wiki/Loose_indexscan */
async function straysIn(db: Database, partition: string): Promise<string[]> {
  const table = sql.raw(`weir.${partition}`)
  const { rows } = (await db.execute(sql`
    WITH RECURSIVE logged AS (
      (SELECT stream_id AS id FROM ${table} ORDER BY stream_id LIMIT 1)
      UNION ALL
      SELECT (SELECT stream_id FROM ${table} WHERE stream_id > logged.id ORDER BY stream_id LIMIT 1)
      FROM logged WHERE logged.id IS NOT NULL
    )
    SELECT id FROM logged
    WHERE id IS NOT NULL AND NOT EXISTS (SELECT FROM weir.streams AS stream WHERE stream.id = logged.id)`)) as unknown as {
    rows: { id: string }[]
  }
  return rows.map(({ id }) => id)
}
