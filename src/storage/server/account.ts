import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, statSync } from 'node:fs'

/** The user that the server runs as; `undefined` is Weir's own. */
export type Account = { uid: number; gid: number } | undefined

/** `nobody` on Linux and most Unixes. It owns no files. */
const NOBODY = 65_534

/**
 * Postgres refuses to run as root. If Weir does, the server runs as the owner of its directory, or of the data directory
 * around it, or else as nobody.
 * @param directories the innermost first; missing ones are skipped
 */
export function accountFor(directories: readonly string[]): Account {
  if (process.getuid?.() !== 0) return undefined
  for (const directory of directories) {
    if (!existsSync(directory)) continue
    const { uid, gid } = statSync(directory)
    // initdb looks up the name of its user.
    if (uid !== 0 && isNamed(uid)) return { uid, gid }
  }
  return { uid: NOBODY, gid: NOBODY }
}

/**
 * Wraps a command of a user without a name, such as a container's: initdb looks up the name of its user. In a user
 * namespace of its own, the command runs as a user with a name; outside, everything still belongs to the same user.
 * @returns undefined if there is no such user to run as
 */
export function withName(command: readonly string[]): readonly string[] | undefined {
  const uid = [NOBODY, ...namedUids()].find((each) => each > 0 && isNamed(each))
  return uid === undefined ? undefined : ['unshare', '--user', `--map-user=${uid}`, '--', ...command]
}

/** Whether an account can enter a directory. */
export function reaches(account: Account, directory: string): boolean {
  if (account === undefined) return true
  return (
    spawnSync('/bin/sh', ['-c', 'cd "$1"', 'sh', directory], { ...account, stdio: 'ignore' }).status === 0
  )
}

function isNamed(uid: number): boolean {
  return namedUids().includes(uid)
}

function namedUids(): number[] {
  const users = existsSync('/etc/passwd') ? readFileSync('/etc/passwd', 'utf8') : ''
  return users
    .split('\n')
    .flatMap((line) => line.split(':')[2] ?? [])
    .map(Number)
}
