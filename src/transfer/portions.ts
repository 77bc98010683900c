import { inArray, sql } from 'drizzle-orm'
import { streams } from '../../drizzle/schema.ts'
import type { Database } from '../storage/storage.ts'

/** Headers and bodies of the streams in memory at a time, in bytes; a single stream may have more. */
const PORTION_BYTES = 8_388_608

/** Splits IDs, in order, so that the streams of each part fit into memory; IDs without a stream come last. */
export async function portions(db: Database, ids: readonly string[]): Promise<string[][]> {
  if (ids.length === 0) return []
  const bytes = sql<number>`(octet_length(${streams.headers}::text) + coalesce(octet_length(${streams.body}), 0))`
  const rows = await db
    .select({ id: streams.id, bytes })
    .from(streams)
    .where(inArray(streams.id, [...ids]))
  const sizes = new Map(rows.map((row) => [row.id, Number(row.bytes)]))
  const parts: string[][] = [[]]
  let left = PORTION_BYTES
  for (const id of ids) {
    const size = sizes.get(id) ?? 0
    if (size > left && parts.at(-1)?.length !== 0) {
      parts.push([])
      left = PORTION_BYTES
    }
    parts.at(-1)?.push(id)
    left -= size
  }
  return parts
}
