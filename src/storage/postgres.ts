import { drizzle } from 'drizzle-orm/node-postgres'
import { Client, Pool, type PoolConfig } from 'pg'
import * as schema from '../../drizzle/schema.ts'
import { DamageLog } from './damage.ts'
import { type Database, type Storage, StorageError } from './storage.ts'

/** Connections per process: a few for statements, one that BullMQ's LISTEN keeps. */
const MAX_CONNECTIONS = 10
const CONNECT_TIMEOUT_MS = 10_000

/**
 * Opens a Postgres server without touching its schema.
 * @throws StorageError when it can't be reached.
 */
export function openPostgres(url: string): Promise<Storage> {
  const address = new URL(url)
  const description = `${address.protocol}//${address.host}${address.pathname}`
  return openPool({ connectionString: url }, description, (error) => {
    throw new StorageError(`Can't reach ${description} (${error.message}). Check DATABASE_URL.`)
  })
}

/** The same for any kind of address; `refused` explains a failure to connect. */
export async function openPool(
  where: PoolConfig,
  description: string,
  refused: (error: Error) => never,
): Promise<Storage> {
  const pool = new Pool({
    ...where,
    Client: TurnTakingClient,
    max: MAX_CONNECTIONS,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    // BullMQ's statements name its tables without a schema; Weir's always name theirs.
    options: '-c search_path=bullmq,public',
  })
  // The pool replaces idle connections that drop, and a client in use sees its statement fail; without listeners, either
  // would end the process.
  pool.on('error', () => {})
  // Each BullMQ queue and worker adds listeners, more than Node's limit for a leak.
  pool.setMaxListeners(0)
  pool.on('connect', (client) => client.on('error', () => {}))
  const damage = new DamageLog()
  damage.watch(pool)
  const db = drizzle(pool, { schema, casing: 'snake_case' })
  const client = await pool.connect().catch(refused)
  client.release()
  return { db: db as unknown as Database, pool, damage, description, close: () => pool.end() }
}

/**
 * A socket without a listener refuses in the same turn of the event loop. A caller that retries immediately would block
 * everything else, including the restart of the server.
 */
class TurnTakingClient extends Client {
  override connect(): Promise<Client>
  override connect(callback: (error: Error) => void): void
  override connect(callback?: (error: Error) => void): Promise<Client> | undefined {
    if (callback === undefined) return super.connect() as unknown as Promise<Client>
    super.connect((error: Error) => (error ? setImmediate(callback, error) : callback(error)))
    return undefined
  }
}
