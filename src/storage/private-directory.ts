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

/** What every directory of Weir's has. */
export const LOCK_FILE = 'lock.sqlite'

/** What others may do with a file, of its mode. */
const OF_OTHERS = 0o077
/**
 * Entries that are looked at in one start, about a second's worth. Beyond it they are left as they are: the directory
 * itself lets nobody in.
 */
const MAX_ENTRIES = 100_000
/** What is in a new volume, or keeps an empty directory in a repository. */
const NOBODYS = /^(lost\+found|\.git(keep|ignore))$/

/**
 * Makes a directory that nobody but this user can look into, or takes such access away from one that is there, and from
 * everything in it.
 * @throws StorageError for one that others can look into and that has never been Weir's: they may need what is in it
 */
export function claimDirectory(directory: string): void {
  mkdirSync(directory, { recursive: true })
  const isOpen = (lstatSync(directory).mode & OF_OTHERS) !== 0
  if (isOpen && isSomebodyElses(directory)) {
    throw new StorageError(
      `${directory} holds files that aren't Weir's, and others can read it. Give Weir a directory of its own with ` +
        `DATA_DIR, or run chmod 700 ${directory}.`,
    )
  }
  tighten(directory)
}

/** Takes from everybody else what they may do with a directory and all below; whatever links lead to is left alone. */
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
 * A volume's own directory may belong to root; what Weir makes in it is closed by itself. Root's Weir closes what belongs
 * to the account of its database server, too, and follows no link that comes to be in its place.
 */
function close(path: string, stats: Stats): void {
  const { mode, uid } = stats
  const user = process.getuid?.()
  if ((mode & OF_OTHERS) === 0) return
  if (uid === user) chmodSync(path, mode & 0o700)
  else if (user === 0 && (stats.isFile() || stats.isDirectory())) closeWhatIsThere(path, mode)
}

function closeWhatIsThere(path: string, mode: number): void {
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
