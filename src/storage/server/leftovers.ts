import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, readlinkSync, realpathSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { StorageError } from '../storage.ts'

/** Longest wait for what was left of a server to end by itself, then for its end by force, in milliseconds. */
const QUIT_MS = 7_000
const KILL_MS = 3_000
const LOOK_EVERY_MS = 20
const PROGRAM = 'postgres'

/**
 * Ends what runs in a server's directory although nobody watches it: a server ends with its Weir, but not at the same
 * moment, and whoever kills the one that watches it leaves the rest. Only for the one that has the directory's lock.
 * @throws StorageError when it doesn't end
 */
export async function endLeftovers(directory: string): Promise<void> {
  for (const [signal, withinMs] of [
    ['SIGQUIT', QUIT_MS],
    ['SIGKILL', KILL_MS],
  ] as const) {
    for (const pid of serversIn(directory)) send(pid, signal)
    const until = performance.now() + withinMs
    while (serversIn(directory).length > 0 && performance.now() < until) await Bun.sleep(LOOK_EVERY_MS)
    if (serversIn(directory).length > 0) continue
    // It may name a process that has the number now; Postgres would take that for another server.
    rmSync(join(directory, 'postmaster.pid'), { force: true })
    return
  }
  throw new StorageError(`A Postgres server in ${directory} doesn't end. Stop it, then start Weir again.`)
}

/** Sends a signal to a process that may have ended. */
export function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** Servers and parts of them, which all have that directory as theirs. */
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
      readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === PROGRAM
    )
  } catch {
    // It has ended, or isn't ours to look at.
    return false
  }
}

/** Where there is no /proc: the one that its file names. */
function namedIn(directory: string): number[] {
  const file = join(directory, 'postmaster.pid')
  const pid = existsSync(file) ? Number(readFileSync(file, 'utf8').split('\n')[0]) : 0
  if (!(pid > 0)) return []
  const { stdout } = spawnSync('/bin/ps', ['-o', 'comm=', '-p', String(pid)])
  return String(stdout).trim().endsWith(PROGRAM) ? [pid] : []
}
