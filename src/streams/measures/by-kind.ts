import { inArray, type SQL, sql } from 'drizzle-orm'
import type { AnyPgColumn } from 'drizzle-orm/pg-core'
import { STREAM_KIND, STREAM_KINDS } from '../../core/sets/stream-kinds.ts'

/** What a stream received, from the columns of its rollups: events or answered polls, by its kind. */
export function receivedOf(
  kind: SQL | AnyPgColumn,
  counts: { events: SQL | AnyPgColumn; polls: SQL | AnyPgColumn },
): SQL {
  const counting = STREAM_KINDS.filter((each) => STREAM_KIND[each].counts === 'polls')
  return sql`CASE WHEN ${inArray(kind as AnyPgColumn, counting)} THEN ${counts.polls} ELSE ${counts.events} END`
}
