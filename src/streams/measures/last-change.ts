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

/**
 * When streams last changed within one minute each, by their entries.
 * @returns by stream, without those whose entries of that minute are dropped
 */
export async function lastChangesIn(
  db: Database,
  minutes: readonly { id: string; minute: Date }[],
): Promise<Map<string, Date>> {
  if (minutes.length === 0) return new Map()
  const { rows } = (await db.execute(sql`
    SELECT asked.id, entry.at FROM json_to_recordset(${JSON.stringify(minutes)}::json) AS asked(id uuid, minute timestamptz)
    JOIN weir.rollups AS rollup ON rollup.stream_id = asked.id AND rollup.minute = asked.minute
    CROSS JOIN LATERAL (
      SELECT at FROM weir.entries WHERE stream_id = asked.id AND changed
        AND seq BETWEEN rollup.first_seq AND rollup.last_seq
        AND at >= asked.minute AND at < asked.minute + interval '1 minute'
      ORDER BY seq DESC LIMIT 1
    ) AS entry`)) as { rows: { id: string; at: string }[] }
  return new Map(rows.map(({ id, at }) => [id, new Date(at)]))
}
