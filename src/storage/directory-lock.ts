import { Database as Sqlite } from 'bun:sqlite'
import { closeSync, existsSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { LOCK_FILE } from './private-directory.ts'
import { StorageError } from './storage.ts'

/** Whoever only looks whether it is locked, as `weir doctor` does, shares it for a moment: longest wait, in milliseconds. */
const LOOK_MS = 1_000

/**
 * Locks a data directory for this process. Postgres locks its own directory, but only while it runs. SQLite's exclusive lock
 * is the operating system's: it can't be taken twice and is released when the process ends, however that happens.
 * @returns a function that releases it
 * @throws StorageError when another process has it
 */
export function lockDirectory(directory: string): () => void {
  const release = tryLock(join(directory, LOCK_FILE))
  if (release !== undefined) return release
  throw new StorageError(
    `Another Weir is using ${directory}. Stop it first, or set DATA_DIR to another directory.`,
  )
}

/** Locks a file, which is created if it's missing. @returns a function that releases it; `undefined` if another has it */
export function tryLock(path: string): (() => void) | undefined {
  // SQLite would make it readable by everybody.
  closeSync(openSync(path, 'a', 0o600))
  const file = new Sqlite(path)
  try {
    file.run(`PRAGMA busy_timeout = ${LOOK_MS}`)
    file.run('BEGIN EXCLUSIVE')
    return () => file.close()
  } catch {
    file.close()
    return undefined
  }
}

/** Whether a file is locked now, by this or another process. Never locks it. */
export function isLocked(path: string): boolean {
  if (!existsSync(path)) return false
  const file = new Sqlite(path, { readonly: true })
  try {
    file.run('SELECT count(*) FROM sqlite_schema')
    return false
  } catch {
    return true
  } finally {
    file.close()
  }
}
