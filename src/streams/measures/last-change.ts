import { and, between, desc, eq, sql } from 'drizzle-orm'
import { entries } from '../../../drizzle/schema.ts'
import type { Database } from '../../storage/storage.ts'
import { timestamp } from '../../storage/timestamp.ts'
import { lastChange } from './measures.ts'

/**
 * When a stream last changed: the time of its entry, or the minute or hour of its rollup once the entry is dropped;
 * `undefined` if it never did.
 */
export async function lastChangedAt(db: Database, streamId: string): Promise<Date | undefined> {
  const rolledUp = await lastChange(db, { streamId })
  if (rolledUp === undefined) return undefined
  const { rows } = (await db.execute(sql`
    SELECT first_seq::float8 AS first, last_seq::float8 AS last FROM weir.rollups
    WHERE stream_id = ${streamId}::uuid AND minute = ${timestamp(rolledUp.getTime())}
    UNION ALL SELECT first_seq::float8, last_seq::float8 FROM weir.long_rollups
    WHERE stream_id = ${streamId}::uuid AND step = 'hour' AND at = ${timestamp(rolledUp.getTime())}
    LIMIT 1`)) as { rows: { first: number; last: number }[] }
  const [range] = rows
  if (range === undefined) return rolledUp
  const [entry] = await db
    .select({ at: entries.at })
    .from(entries)
    .where(
      and(
        eq(entries.streamId, streamId),
        between(entries.seq, range.first, range.last),
        eq(entries.changed, true),
      ),
    )
    .orderBy(desc(entries.seq))
    .limit(1)
  return entry?.at ?? rolledUp
}
