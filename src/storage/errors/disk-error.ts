import { statfsSync } from 'node:fs'
import { StorageError } from '../storage.ts'

/** Below this much free space, in bytes, a failure to write is blamed on the disk: Postgres needs several log files. */
const NEARLY_FULL_BYTES = 33_554_432
const FULL = /No space left on device|Disk quota exceeded|ENOSPC|EDQUOT/

/** Explains an error of the file system below a data directory; other errors are returned as they are. */
export function explainDisk(error: unknown, dataDir: string): unknown {
  if (error instanceof StorageError && !FULL.test(error.message)) return error
  const { code, message = '', path = dataDir } = error as NodeJS.ErrnoException
  if (FULL.test(message)) return full(dataDir)
  if (code === 'EROFS') {
    return new StorageError(
      `${path} is on a read-only file system. Make it writable, or set DATA_DIR to another directory.`,
    )
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return new StorageError(
      `Weir has no permission for ${path}. Make its user the owner of ${dataDir}, or set DATA_DIR to another directory.`,
    )
  }
  if (code === 'EEXIST' || code === 'ENOTDIR') {
    return new StorageError(`${path} isn't a directory. Set DATA_DIR to a directory.`)
  }
  return error
}

/**
 * The error that says that the disk is full, if it is; Postgres may crash because of that without an error to its
 * clients.
 */
export function fullDisk(dataDir: string): StorageError | undefined {
  const { bavail, bsize } = statfsSync(dataDir)
  return bavail * bsize < NEARLY_FULL_BYTES ? full(dataDir) : undefined
}

function full(dataDir: string): StorageError {
  return new StorageError(
    `The disk of ${dataDir} is full. Free some space and start Weir again. What was stored before is unchanged.`,
  )
}
