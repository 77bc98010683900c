import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, readlinkSync, realpathSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { StorageError } from '../storage.ts'

/** Timeouts for a leftover server to quit, then to be killed, in milliseconds. */
const QUIT_MS = 7_000
const KILL_MS = 3_000
const CHECK_EVERY_MS = 20
/**
 * A server's own locks, which one that was killed leaves behind. The process ID in them may belong to another process now, which
 * Postgres would mistake for a running server.
 */
const LOCK_FILES = ['postmaster.pid', '.s.PGSQL.5432', '.s.PGSQL.5432.lock'] as const
const PROGRAMS: ReadonlySet<string> = new Set(['postgres', 'initdb'])

/**
 * Ends servers in a directory that nobody supervises, and programs that create one: a server ends shortly after its Weir, not at the same moment, and
 * killing its main process leaves the others running. The caller holds the directory's lock.
 * @throws StorageError when one doesn't end
 */
export async function endLeftovers(directory: string): Promise<void> {
  for (const [signal, withinMs] of [
    ['SIGQUIT', QUIT_MS],
    ['SIGKILL', KILL_MS],
  ] as const) {
    for (const pid of serversIn(directory)) send(pid, signal)
    const until = performance.now() + withinMs
    while (serversIn(directory).length > 0 && performance.now() < until) await Bun.sleep(CHECK_EVERY_MS)
    if (serversIn(directory).length > 0) continue
    for (const name of LOCK_FILES) rmSync(join(directory, name), { force: true })
    return
  }
  throw new StorageError(
    `A Postgres server is still running in ${directory}. Stop it, then start Weir again.`,
  )
}

/** Signals a process, which may have ended. */
export function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** The processes of servers, and of initdb, which all run in that directory. */
function serversIn(directory: string): number[] {
  if (process.platform !== 'linux') return namedIn(directory)
  const home = realpathSync(directory)
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && isServerIn(name, home))
    .map(Number)
}

function isServerIn(pid: string, home: string): boolean {
  try {
    return (
      readlinkSync(`/proc/${pid}/cwd`) === home &&
      PROGRAMS.has(readFileSync(`/proc/${pid}/comm`, 'utf8').trim())
    )
  } catch {
    // It has ended, or belongs to another user.
    return false
  }
}

/** Without /proc: the server whose ID is in its file. */
function namedIn(directory: string): number[] {
  const file = join(directory, 'postmaster.pid')
  const pid = existsSync(file) ? Number(readFileSync(file, 'utf8').split('\n')[0]) : 0
  if (!(pid > 0)) return []
  const { stdout } = spawnSync('/bin/ps', ['-o', 'comm=', '-p', String(pid)])
  return String(stdout).trim().endsWith('postgres') ? [pid] : []
}
