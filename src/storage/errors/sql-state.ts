import type { Database } from '../storage.ts'

/**
 * Attempts of a write before a deadlock counts as a failure. Each attempt was rolled back in favor of another write,
 * which has finished by the next attempt.
 */
const MAX_TRIES = 10
/** @see https://www.postgresql.org/docs/18/errcodes-appendix.html */
const DEADLOCK = '40P01'

/** The SQLSTATE of an error thrown by a statement, from either driver or wrapped by Drizzle. */
export function sqlStateOf(error: unknown): string | undefined {
  const { code, cause } = error as { code?: unknown; cause?: { code?: unknown } }
  const state = code ?? cause?.code
  return typeof state === 'string' ? state : undefined
}

/**
 * Retries a write that the database rolled back to end a deadlock. Bulk writes lock rows in a different order than
 * recording does, so deadlocks are expected, and not a failure for the caller. Statements outside transactions are
 * retried by the pool of connections; for transactions, there is {@link transact}.
 */
export async function againAfterDeadlock<T>(write: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await write()
    } catch (error) {
      if (sqlStateOf(error) !== DEADLOCK || tries === MAX_TRIES) throw error
    }
  }
}

/** A transaction that is retried after a deadlock: its body has no effect except its statements. */
export function transact<T>(db: Database, body: (tx: Database) => Promise<T>): Promise<T> {
  return againAfterDeadlock(() => db.transaction(body))
}
