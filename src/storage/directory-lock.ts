import { Database as Sqlite } from 'bun:sqlite'
import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { LOCK_FILE } from './private-directory.ts'
import { StorageError } from './storage.ts'

/**
 * Locks a data directory for this process. Postgres locks its own directory, but only while it runs. SQLite's exclusive lock
 * is the operating system's: it can't be taken twice and is released when the process ends, however that happens.
 * @returns a function that releases it
 * @throws StorageError when another process has it
 */
export function lockDirectory(directory: string): () => void {
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
