import type { PgPool } from 'bullmq'
import type { PgDatabase, PgQueryResultHKT } from 'drizzle-orm/pg-core'
import type * as schema from '../../drizzle/schema.ts'

/** Drizzle over either engine. Raw `execute` answers `{ rows }` on both, with times as text. */
export type Database = PgDatabase<PgQueryResultHKT, typeof schema>

/** An open database: embedded or a server; the rest of Weir can't tell which. */
export interface Storage {
  readonly db: Database
  /** The same database as BullMQ's Postgres backend wants it. */
  readonly pool: PgPool
  /** Where the data lies, for people. */
  readonly description: string
  close(): Promise<void>
}

/** The storage can't be opened, and the message says what to do about it. */
export class StorageError extends Error {
  override readonly name = 'StorageError'
}
