import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  type Stats,
} from 'node:fs'
import { join } from 'node:path'
import { StorageError } from './storage.ts'

/** A file that every data directory has. */
export const LOCK_FILE = 'lock.sqlite'

/** The permission bits of everybody but the owner. */
const OF_OTHERS = 0o077
/**
 * Entries that are checked in one start, about a second's worth. Further ones are left as they are: the directory itself is
 * closed to others.
 */
const MAX_ENTRIES = 100_000
/** Files in a new volume, or that keep an empty directory in a repository. */
const NOBODYS = /^(lost\+found|\.git(keep|ignore))$/

/**
 * Creates a directory that only this user can read, or removes others' access from an existing one and everything in it.
 * @throws StorageError for a directory that others can read and that was never Weir's: they may need its content
 */
export function claimDirectory(directory: string): void {
  mkdirSync(directory, { recursive: true })
  const isOpen = (lstatSync(directory).mode & OF_OTHERS) !== 0
  if (isOpen && isSomebodyElses(directory)) {
    throw new StorageError(
      `${directory} contains other files and is readable by other users. Set DATA_DIR to a separate directory, ` +
        `or run chmod 700 ${directory}.`,
    )
  }
  tighten(directory)
}

/** Removes others' permissions from a directory and everything below it; targets of links are left alone. */
export function tighten(directory: string, maxEntries = MAX_ENTRIES): void {
  const waiting = [directory]
  let left = maxEntries
  for (let path = waiting.pop(); path !== undefined && left > 0; path = waiting.pop()) {
    const stats = lstatSync(path, { throwIfNoEntry: false })
    if (stats === undefined || stats.isSymbolicLink()) continue
    left--
    close(path, stats)
    if (stats.isDirectory()) waiting.push(...readdirSync(path).map((name) => join(path as string, name)))
  }
}

/**
 * A volume's root may belong to root; what Weir creates in it is private anyway. As root, Weir also closes the files of its
 * database server's account, and doesn't follow a link that replaces one of them meanwhile.
 */
function close(path: string, stats: Stats): void {
  const { mode, uid } = stats
  const user = process.getuid?.()
  if ((mode & OF_OTHERS) === 0) return
  if (uid === user) chmodSync(path, mode & 0o700)
  else if (user === 0 && (stats.isFile() || stats.isDirectory())) closeWithoutFollowing(path, mode)
}

function closeWithoutFollowing(path: string, mode: number): void {
  const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    fchmodSync(file, mode & 0o700)
  } finally {
    closeSync(file)
  }
}

function isSomebodyElses(directory: string): boolean {
  if (existsSync(join(directory, LOCK_FILE))) return false
  return readdirSync(directory).some((name) => !NOBODYS.test(name))
}
