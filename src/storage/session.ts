import { sql } from 'drizzle-orm'
import type { Database } from './storage.ts'

/**
 * Bounds of every session, in milliseconds. Statements of requests and of the recorder take far less; what may take longer
 * says so, with {@link unbounded}.
 */
export const SESSION = {
  statement_timeout: 120_000,
  /** Somebody else's lock, such as of a migration: the statement fails, and connections stay free for others. */
  lock_timeout: 10_000,
  /** Weir itself was frozen in a transaction: its locks must not keep others waiting. */
  idle_in_transaction_session_timeout: 60_000,
} as const

/** Lets a transaction take as long as it needs. */
export async function unbounded(tx: Pick<Database, 'execute'>): Promise<void> {
  for (const name of Object.keys(SESSION)) await tx.execute(sql.raw(`SET LOCAL ${name} = 0`))
}
