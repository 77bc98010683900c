import { Database as Sqlite } from 'bun:sqlite'
import { closeSync, existsSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { PGlite } from '@electric-sql/pglite'
import { drizzle } from 'drizzle-orm/pglite'
import * as schema from '../../drizzle/schema.ts'
import { type Engine, engineFiles } from './engine.ts'
import { pglitePool } from './pglite-pool.ts'
import { claimDirectory, LOCK_FILE } from './private-directory.ts'
import { PrivateFs } from './private-fs.ts'
import { type Database, type Storage, StorageError } from './storage.ts'

/**
 * Postgres' page cache, the first of these, holds an hour of minute rollups for some thousands of streams, which the home page
 * reads. If it is too small, hundreds of megabytes a second are read from files. The default is twice this value.
 */
const POSTGRES_SETTINGS = ['shared_buffers = 64MB', 'wal_buffers = 1MB', 'max_wal_size = 256MB']

/**
 * Opens, and on first use creates, the embedded Postgres in a directory, which stays locked until it is closed and is readable
 * by this user only. Doesn't touch the schema.
 * @throws StorageError when another process has the directory, or it's somebody else's.
 */
export async function openEmbedded(directory: string, engine: Promise<Engine>): Promise<Storage> {
  claimDirectory(directory)
  const unlock = lock(directory)
  try {
    const home = join(directory, 'postgres')
    const isMade = existsSync(join(home, 'PG_VERSION'))
    const files = await engineFiles(engine, isMade)
    const pglite = await PGlite.create({
      fs: new PrivateFs(home),
      postgresqlconf: POSTGRES_SETTINGS,
      ...files,
    })
    // BullMQ's statements name its tables without a schema; Weir's always name theirs.
    await pglite.exec('SET search_path TO bullmq, public')
    const db = drizzle(pglite, { schema, casing: 'snake_case' })
    return {
      db: db as unknown as Database,
      pool: pglitePool(pglite),
      description: directory,
      async close() {
        await pglite.close()
        unlock()
      },
    }
  } catch (error) {
    unlock()
    throw error
  }
}

/**
 * PGlite doesn't lock its directory, and two processes in it corrupt it. SQLite's exclusive lock is the operating system's:
 * it can't be taken twice and is released when the process ends, however that happens.
 */
function lock(directory: string): () => void {
  const path = join(directory, LOCK_FILE)
  // SQLite would make it readable by everybody.
  closeSync(openSync(path, 'a', 0o600))
  const file = new Sqlite(path)
  try {
    file.run('BEGIN EXCLUSIVE')
  } catch {
    file.close()
    throw new StorageError(
      `Another Weir is using ${directory}. Stop it first, or set DATA_DIR to another directory.`,
    )
  }
  return () => file.close()
}
