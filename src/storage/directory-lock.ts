import { Database as Sqlite } from 'bun:sqlite'
import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { LOCK_FILE } from './private-directory.ts'
import { StorageError } from './storage.ts'

/**
 * Takes a data directory for this process. Postgres locks its own directory, but not what is done before it runs.
 * SQLite's exclusive lock is the operating system's: it can't be taken twice and goes with the process, however that ends.
 * @returns releases it
 * @throws StorageError when another process has it
 */
export function lockDirectory(directory: string): () => void {
  const path = join(directory, LOCK_FILE)
  // SQLite would let everybody read it.
  closeSync(openSync(path, 'a', 0o600))
  const file = new Sqlite(path)
  try {
    file.run('BEGIN EXCLUSIVE')
  } catch {
    file.close()
    throw new StorageError(
      `Another Weir is using ${directory}. Stop it first, or give this one a directory of its own with DATA_DIR.`,
    )
  }
  return () => file.close()
}
