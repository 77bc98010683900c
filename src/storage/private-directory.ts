import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, type Stats } from 'node:fs'
import { join } from 'node:path'
import { StorageError } from './storage.ts'

/** The mode of every directory of Weir's. */
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

/** A volume's root may belong to root; what Weir creates in it is private anyway. */
function close(path: string, { mode, uid }: Stats): void {
  const isOurs = uid === process.getuid?.()
  if ((mode & OF_OTHERS) !== 0 && isOurs) chmodSync(path, mode & 0o700)
}

function isSomebodyElses(directory: string): boolean {
  if (existsSync(join(directory, LOCK_FILE))) return false
  return readdirSync(directory).some((name) => !NOBODYS.test(name))
}
