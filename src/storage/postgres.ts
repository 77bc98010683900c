import { drizzle } from 'drizzle-orm/node-postgres'
import { Pool, type PoolConfig } from 'pg'
import * as schema from '../../drizzle/schema.ts'
import { type Database, type Storage, StorageError } from './storage.ts'

/** Connections per process: a few for statements, one that BullMQ's LISTEN keeps. */
const MAX_CONNECTIONS = 10
const CONNECT_TIMEOUT_MS = 10_000

/**
 * Opens a Postgres server; its schema is as it is.
 * @throws StorageError when it can't be reached.
 */
export function openPostgres(url: string): Promise<Storage> {
  const address = new URL(url)
  const description = `${address.protocol}//${address.host}${address.pathname}`
  return openPool({ connectionString: url }, description, (error) => {
    throw new StorageError(`Can't reach ${description} (${error.message}). Check DATABASE_URL.`)
  })
}

/** The same with any way to a server, which only `refused` knows how to explain. */
export async function openPool(
  where: PoolConfig,
  description: string,
  refused: (error: Error) => never,
): Promise<Storage> {
  const pool = new Pool({
    ...where,
    max: MAX_CONNECTIONS,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    // BullMQ's statements name its tables without a schema; ours always name theirs.
    options: '-c search_path=bullmq,public',
  })
  // An idle connection that drops is replaced by the pool, and who holds one learns it from the statement that fails;
  // without listeners either would end the process.
  pool.on('error', () => {})
  pool.on('connect', (client) => client.on('error', () => {}))
  const db = drizzle(pool, { schema, casing: 'snake_case' })
  const client = await pool.connect().catch(refused)
  client.release()
  return { db: db as unknown as Database, pool, description, close: () => pool.end() }
}
