import { drizzle } from 'drizzle-orm/node-postgres'
import { Pool } from 'pg'
import * as schema from '../../drizzle/schema.ts'
import { type Database, type Storage, StorageError } from './storage.ts'

/** Connections per process: a few for statements, one that BullMQ's LISTEN keeps. */
const MAX_CONNECTIONS = 10
const CONNECT_TIMEOUT_MS = 10_000

/**
 * Opens a Postgres server without touching its schema.
 * @throws StorageError when it can't be reached.
 */
export async function openPostgres(url: string): Promise<Storage> {
  const address = new URL(url)
  const description = `${address.protocol}//${address.host}${address.pathname}`
  const pool = new Pool({
    connectionString: url,
    max: MAX_CONNECTIONS,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    // BullMQ's statements name its tables without a schema; Weir's always name theirs.
    options: '-c search_path=bullmq,public',
  })
  // The pool replaces idle connections that drop, and a client in use sees its statement fail; without listeners, either
  // would end the process.
  pool.on('error', () => {})
  pool.on('connect', (client) => client.on('error', () => {}))
  const db = drizzle(pool, { schema, casing: 'snake_case' })
  const client = await pool.connect().catch((error: Error) => {
    throw new StorageError(`Can't reach ${description} (${error.message}). Check DATABASE_URL.`)
  })
  client.release()
  return { db: db as unknown as Database, pool, description, close: () => pool.end() }
}
