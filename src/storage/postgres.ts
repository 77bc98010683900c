import { drizzle } from 'drizzle-orm/node-postgres'
import { migrate } from 'drizzle-orm/node-postgres/migrator'
import { Pool } from 'pg'
import * as schema from '../../drizzle/schema.ts'
import { type Database, type Storage, StorageError } from './storage.ts'

/** Connections per process: a few for statements, one that BullMQ's LISTEN keeps. */
const MAX_CONNECTIONS = 10
const CONNECT_TIMEOUT_MS = 10_000
/** Any number that is Weir's own: processes that start together migrate one after the other. */
const MIGRATION_LOCK = 0x77656972

/**
 * Opens a Postgres server and brings its schema up to date.
 * @throws StorageError when it can't be reached.
 */
export async function openPostgres(url: string, migrations: string): Promise<Storage> {
  const address = new URL(url)
  const description = `${address.protocol}//${address.host}${address.pathname}`
  const pool = new Pool({
    connectionString: url,
    max: MAX_CONNECTIONS,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    // BullMQ's statements name its tables without a schema; ours always name theirs.
    options: '-c search_path=bullmq,public',
  })
  // An idle connection that drops is replaced by the pool; without a listener it would end the process.
  pool.on('error', () => {})
  const db = drizzle(pool, { schema, casing: 'snake_case' })
  const client = await pool.connect().catch((error: Error) => {
    throw new StorageError(`Can't reach ${description} (${error.message}). Check DATABASE_URL.`)
  })
  try {
    await client.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK])
    await migrate(db, { migrationsFolder: migrations })
  } finally {
    await client.query('SELECT pg_advisory_unlock($1)', [MIGRATION_LOCK])
    client.release()
  }
  return { db: db as unknown as Database, pool, description, close: () => pool.end() }
}
