import { drizzle } from 'drizzle-orm/node-postgres'
import { Client, DatabaseError, Pool, type PoolConfig } from 'pg'
import * as schema from '../../drizzle/schema.ts'
import { within } from '../observe/within.ts'
import { keepUsable } from './connections.ts'
import { DamageLog } from './errors/damage.ts'
import { againAfterDeadlock } from './errors/sql-state.ts'
import { SESSION } from './session.ts'
import { type Database, type Storage, StorageError } from './storage.ts'

/** Connections per process: a few for statements, one that BullMQ's LISTEN keeps. */
const MAX_CONNECTIONS = 10
const CONNECT_TIMEOUT_MS = 10_000
/** Longest wait for connections to close, in milliseconds; then they are cut. */
const CLOSE_MS = 2_000
/** Longest wait for an answer that shows that a server works, in milliseconds. */
const PROBE_MS = 5_000

/**
 * Opens a Postgres server without touching its schema.
 * @throws StorageError when it can't be reached.
 */
export function openPostgres(url: string): Promise<Storage> {
  const address = new URL(url)
  const description = `${address.protocol}//${address.host}${address.pathname}`
  return openPool({ connectionString: url }, description, (error) => {
    throw new StorageError(`Can't reach ${description} (${error.message}). Check DATABASE_URL.`, {
      cause: error,
    })
  })
}

/** The same for any kind of address; `refused` explains a failure to connect. */
export async function openPool(
  where: PoolConfig,
  description: string,
  refused: (error: Error) => never,
): Promise<Storage> {
  const pool: Pool = new Pool({
    ...where,
    Client: turnTakingClient(() => connections.isSilent),
    max: MAX_CONNECTIONS,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    // BullMQ's statements name its tables without a schema; Weir's always name theirs.
    options: ['search_path=bullmq,public', ...Object.entries(SESSION).map((pair) => pair.join('='))]
      .map((setting) => `-c ${setting}`)
      .join(' '),
  })
  // The pool replaces idle connections that drop; without a listener, this would end the process.
  pool.on('error', () => {})
  // Each BullMQ queue and worker adds listeners, more than Node's limit for a leak.
  pool.setMaxListeners(0)
  retryStatements(pool)
  const damage = new DamageLog()
  damage.watch(pool)
  const connections = keepUsable(pool, () => responds(where))
  const db = drizzle(pool, { schema, casing: 'snake_case' })
  try {
    const client = await pool.connect().catch(refused)
    client.release()
  } catch (error) {
    connections.close()
    throw error
  }
  const close = async () => {
    // A server that doesn't respond keeps connections open.
    await Promise.race([pool.end(), Bun.sleep(CLOSE_MS)])
    connections.close()
  }
  return { db: db as unknown as Database, pool, damage, description, close }
}

/** A statement outside a transaction that a deadlock ended had no effect, so it can be run again. */
function retryStatements(pool: Pool): void {
  const query = pool.query.bind(pool) as (...asked: unknown[]) => Promise<unknown>
  pool.query = ((...asked: unknown[]) => {
    const isCalledBack = typeof asked.at(-1) === 'function'
    return isCalledBack ? query(...asked) : againAfterDeadlock(() => query(...asked))
  }) as Pool['query']
}

/** Whether a server answers, if only with a refusal such as "too many connections". */
async function responds(where: PoolConfig): Promise<boolean> {
  const client = new Client({ ...where, connectionTimeoutMillis: PROBE_MS })
  client.on('error', () => {})
  try {
    await client.connect()
    await within(PROBE_MS, client.query('SELECT'))
    return true
  } catch (error) {
    return error instanceof DatabaseError
  } finally {
    client.end().catch(() => {})
  }
}

/**
 * A socket without a listener refuses in the same turn of the event loop. A caller that retries immediately would block
 * everything else, including the restart of the server.
 * @param isSilent whether the server isn't worth waiting for
 */
function turnTakingClient(isSilent: () => boolean) {
  return class TurnTakingClient extends Client {
    override connect(): Promise<Client>
    override connect(callback: (error: Error) => void): void
    override connect(callback?: (error: Error) => void): Promise<Client> | undefined {
      if (callback === undefined) return super.connect() as unknown as Promise<Client>
      if (isSilent()) setImmediate(callback, new Error("Connection terminated: the server doesn't respond"))
      else super.connect((error: Error) => (error ? setImmediate(callback, error) : callback(error)))
      return undefined
    }
  }
}
