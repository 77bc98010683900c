import type { PgDatabase, PgQueryResultHKT } from 'drizzle-orm/pg-core'
import type * as schema from '../../drizzle/schema.ts'
import type { PgPool } from '../queue/types.ts'
import type { DamageLog } from './errors/damage.ts'

/** Drizzle on either engine. Raw `execute` returns `{ rows }` on both, with times as text. */
export type Database = PgDatabase<PgQueryResultHKT, typeof schema>

/** An open database: embedded or a server; the rest of Weir doesn't know which. */
export interface Storage {
  readonly db: Database
  /** The same database in the form that BullMQ's Postgres backend needs. */
  readonly pool: PgPool
  /** What was found damaged in it. */
  readonly damage: DamageLog
  /** Where the data is stored, for people. */
  readonly description: string
  close(): Promise<void>
}

/** The storage can't be opened, and the message says what to do about it. */
export class StorageError extends Error {
  override readonly name = 'StorageError'
}
