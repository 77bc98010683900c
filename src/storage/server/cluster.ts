import { randomBytes } from 'node:crypto'
import {
  chownSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { StorageError } from '../storage.ts'
import type { Account } from './account.ts'
import type { Programs } from './programs.ts'
import { run } from './run.ts'

/** The name of Weir's role, which isn't a superuser, and of its database. */
export const NAME = 'weir'
/** Next to the server's directory: the password of the role. */
const PASSWORD_FILE = 'postgres.password'
const PASSWORD_BYTES = 32
/** Only Weir's role, with its password. The superuser can't sign in at all. */
const ACCESS = `local ${NAME} ${NAME} scram-sha-256\n`
const IDENTITY = ['--username=postgres', '--auth=reject']
/** Whatever the environment says: sorted by code point, with upper and lower case of every language. */
const LOCALE = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8']
/** How initdb refuses a user without a name. */
const NAMELESS = /effective user ID (\d+)/
/** Size of a write-ahead log file. With the default, 16, a small database would have several. */
const SEGMENT_MB = 4

/** The directory of a database server, with Weir's role and database. */
export interface Cluster {
  directory: string
  account: Account
}

/** The password of a data directory, created on first use. */
export function passwordOf(dataDir: string): string {
  const path = join(dataDir, PASSWORD_FILE)
  if (existsSync(path)) return readFileSync(path, 'utf8').trim()
  const password = randomBytes(PASSWORD_BYTES).toString('base64url')
  const part = `${path}.part`
  rmSync(part, { force: true })
  writeFileSync(part, `${password}\n`, { mode: 0o600, flag: 'wx' })
  sync(part)
  renameSync(part, path)
  sync(dataDir)
  return password
}

/** Creates a cluster in a directory; whatever an earlier attempt left there is deleted. */
export async function makeCluster({ directory, account }: Cluster, programs: Programs, password: string) {
  rmSync(directory, { recursive: true, force: true })
  mkdirSync(directory, { mode: 0o700 })
  if (account !== undefined) chownSync(directory, account.uid, account.gid)
  const here = dataPath({ directory, account })
  const inside = { directory, account, isNameless: false }
  const initdb = (...args: string[]) =>
    run({ ...inside, program: programs.initdb, args: ['-D', here, ...args] })
  const make = () =>
    initdb(...IDENTITY, ...LOCALE, '--data-checksums', `--wal-segsize=${SEGMENT_MB}`, '--no-sync')
  await make().catch((error: Error) => {
    const uid = NAMELESS.exec(error.message)?.[1]
    if (uid === undefined) throw error
    inside.isNameless = true
    return make().catch(() => explain(uid))
  })
  writeFileSync(join(directory, 'pg_hba.conf'), ACCESS)
  const statements = [
    `CREATE ROLE ${NAME} LOGIN PASSWORD '${password}'`,
    `CREATE DATABASE ${NAME} OWNER ${NAME}`,
    // By default, everybody may connect to every database.
    'REVOKE CONNECT ON DATABASE postgres FROM PUBLIC',
  ]
  const settings = ['-c', 'fsync=off', '-c', 'log_checkpoints=off']
  await run({
    ...inside,
    program: programs.postgres,
    args: ['--single', ...settings, '-D', here, 'postgres'],
    input: statements.map((statement) => `${statement}\n`).join(''),
  })
  await initdb('--sync-only')
}

/** Renames a finished cluster to its final name. */
export function moveInto(made: string, directory: string, dataDir: string): void {
  renameSync(made, directory)
  sync(dataDir)
}

/**
 * The path by which a server, started in its directory, refers to that directory. Another account can't get there by the
 * full path, because the data directory is closed to it.
 */
export function dataPath({ directory, account }: Cluster): string {
  return account === undefined || process.platform !== 'linux' ? directory : '/proc/self/cwd'
}

function explain(uid: string): never {
  throw new StorageError(
    `The embedded Postgres can't be created by user ${uid}, which has no name in /etc/passwd, and user namespaces aren't ` +
      'allowed here. Run Weir as a user with a name, add one to /etc/passwd, or set DATABASE_URL to a Postgres server.',
  )
}

function sync(path: string): void {
  const file = openSync(path, 'r')
  fsyncSync(file)
  closeSync(file)
}
