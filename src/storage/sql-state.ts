import type { Database } from './storage.ts'

/** Tries of a write until a deadlock is a failure. Each was undone for another write, which is through by then. */
const MAX_TRIES = 10
/** @see https://www.postgresql.org/docs/18/errcodes-appendix.html */
const DEADLOCK = '40P01'

/** The SQLSTATE of what a statement threw, as either driver, or Drizzle around it, has it. */
export function sqlStateOf(error: unknown): string | undefined {
  const { code, cause } = error as { code?: unknown; cause?: { code?: unknown } }
  const state = code ?? cause?.code
  return typeof state === 'string' ? state : undefined
}

/**
 * Does a write again that the database has undone to end a deadlock. Writes of many rows meet recording in any order;
 * that one has to give way is no failure to whoever asked for it.
 * @param write one statement; of several, {@link transact} is the way
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

/** A transaction that is done again after a deadlock: its body has no effect but that of its statements. */
export function transact<T>(db: Database, body: (tx: Database) => Promise<T>): Promise<T> {
  return againAfterDeadlock(() => db.transaction(body))
}
