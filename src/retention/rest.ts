import { sql } from 'drizzle-orm'
import { DAY_MS } from '../core/time.ts'
import { type Day, dayOf } from '../storage/partitions.ts'
import type { Database } from '../storage/storage.ts'
import { type TrimDeps, trimStream, unarchivedFrom } from './trim.ts'

/** Streams checked in one pass. */
const STREAMS_PER_PASS = 50
const BODIES_PER_PASS = 1_000

/**
 * Deletes entries of days without a partition once they are the oldest of their stream by `seq`: a wrong clock has
 * dated them. No entry after the first one of a kept day is deleted.
 */
export async function tidyRest(deps: TrimDeps, keptFromMs: number): Promise<void> {
  const { db, now } = deps
  const from = new Date(Math.min(keptFromMs, (await unarchivedFrom(deps)) ?? Infinity)).toISOString()
  const to = new Date(now() + DAY_MS).toISOString()
  const { rows } = (await db.execute(sql`
    SELECT stray.id, kept.seq::float8 AS "keptFrom"
    FROM (SELECT stream_id AS id, min(seq) AS seq FROM weir.entries_rest GROUP BY 1) AS stray
    CROSS JOIN LATERAL (
      SELECT seq FROM weir.entries
      WHERE stream_id = stray.id AND at >= ${from}::timestamptz AND at < ${to}::timestamptz ORDER BY seq LIMIT 1
    ) AS kept
    WHERE stray.seq < kept.seq LIMIT ${STREAMS_PER_PASS}::int`)) as {
    rows: { id: string; keptFrom: number }[]
  }
  for (const { id, keptFrom } of rows) await trimStream(deps, id, keptFrom - 1)
  await deleteLoneBodies(db, dayOf(now() - DAY_MS))
}

/** Only for days that are over, so that no entry can be on its way to one. */
async function deleteLoneBodies(db: Database, before: Day): Promise<void> {
  await db.execute(sql`
    DELETE FROM weir.bodies_rest WHERE (day, key) IN (
      SELECT day, key FROM weir.bodies_rest AS body WHERE day < ${before}::date AND NOT EXISTS (
        SELECT FROM weir.entries WHERE body_key = body.key
          AND at >= body.day::timestamp AT TIME ZONE 'UTC' AND at < (body.day + 1)::timestamp AT TIME ZONE 'UTC'
      ) LIMIT ${BODIES_PER_PASS}::int)`)
}
