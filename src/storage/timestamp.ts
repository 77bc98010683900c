import { type SQL, sql } from 'drizzle-orm'

/** Milliseconds since the epoch, as a timestamp. */
export function timestamp(ms: number): SQL {
  return sql`${new Date(ms).toISOString()}::timestamptz`
}
