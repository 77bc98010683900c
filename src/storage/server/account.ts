import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, statSync } from 'node:fs'

/** Whom the server runs as; `undefined`: as Weir itself. */
export type Account = { uid: number; gid: number } | undefined

/** On every Unix that has one: it owns nothing. */
const NOBODY = 65_534

/**
 * Postgres refuses to run as root. Under a Weir that does, it runs as the owner of its directory, of the data directory
 * around it, or else as nobody.
 * @param directories the innermost first; those that aren't there have no owner
 */
export function accountFor(directories: readonly string[]): Account {
  if (process.getuid?.() !== 0) return undefined
  for (const directory of directories) {
    if (!existsSync(directory)) continue
    const { uid, gid } = statSync(directory)
    // initdb looks its user up by name.
    if (uid !== 0 && isNamed(uid)) return { uid, gid }
  }
  return { uid: NOBODY, gid: NOBODY }
}

/** Whether an account can get to a directory. */
export function reaches(account: Account, directory: string): boolean {
  if (account === undefined) return true
  return (
    spawnSync('/bin/sh', ['-c', 'cd "$1"', 'sh', directory], { ...account, stdio: 'ignore' }).status === 0
  )
}

function isNamed(uid: number): boolean {
  const users = existsSync('/etc/passwd') ? readFileSync('/etc/passwd', 'utf8') : ''
  return users.split('\n').some((line) => line.split(':')[2] === String(uid))
}
