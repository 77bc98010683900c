import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { StorageError } from '../storage.ts'
import { type Cluster, dataPath } from './cluster.ts'
import { explainEnd } from './explain.ts'
import { send } from './leftovers.ts'
import { SERVER_ARGS } from './settings.ts'

/** Lines of the server's output that are kept to explain why it ended. */
const LINES_KEPT = 20
/**
 * Signals of a shutdown and the wait after each, in milliseconds: wait for connections that are closing, abort the others,
 * quit without a checkpoint, which leaves recovery to the next start.
 */
const SHUTDOWNS = [
  ['SIGTERM', 500],
  ['SIGINT', 1_500],
  ['SIGQUIT', 500],
  ['SIGKILL', 1_000],
] as const
/** Time that the server's other processes have to end after it, in milliseconds. */
const REST_MS = 1_000
/** What a server says to whoever connects too early; it would crowd out why it ended. */
const NOISE = /^FATAL: +the database system is |^DETAIL: +Consistent recovery state has not been yet reached/
const READY = 'database system is ready to accept connections'
/**
 * Stops the server when the process that started it ends, however that happens: only then does standard input end. Prints the
 * server's process ID and exits with the server's status.
 */
const GUARD = `
exec 3<&0
"$@" </dev/null >&2 3<&- &
server=$!
echo "$server"
(read -r _ <&3; kill -QUIT "$server") >/dev/null 2>&1 &
guard=$!
exec 3<&- >/dev/null
wait "$server"
status=$?
kill "$guard" 2>/dev/null
exit "$status"`

/** A server that was killed before it was ready, as by the kernel when memory runs out: the next start may succeed. */
export class KilledError extends StorageError {}

/** How a server ended that was killed: by the shell's status, 128 and the signal's number, or with the shell. */
const KILLED = /^It ended with (SIGKILL|status 137)\./

/** A running server process. */
export interface ServerChild {
  readonly pid: number
  /** Resolves with its last output when it has ended, after its other processes have ended or timed out. */
  readonly ended: Promise<string>
  /** Shuts it down cleanly. Nothing acknowledged is lost. */
  stop(): Promise<void>
}

/**
 * Starts a server and waits until it accepts connections. After a crash, it replays its write-ahead log first.
 * @throws StorageError with its last output when it ends before that; KilledError when it was killed
 */
export async function startChild(cluster: Cluster, postgres: string): Promise<ServerChild> {
  const { directory, account } = cluster
  const args = ['-c', GUARD, 'sh', postgres, '-D', dataPath(cluster), ...SERVER_ARGS]
  // In its own session, so that Ctrl-C reaches only Weir, which still has to write.
  const child = spawn('/bin/sh', args, { ...account, cwd: directory, detached: true, stdio: 'pipe' })
  child.stdin.on('error', () => {})
  const lines: string[] = []
  const ready = Promise.withResolvers<void>()
  createInterface({ input: child.stderr }).on('line', (line) => {
    if (NOISE.test(line)) return
    lines.push(line)
    if (lines.length > LINES_KEPT) lines.shift()
    if (line.includes(READY)) ready.resolve()
  })
  const pid = new Promise<number>((resolve) =>
    createInterface({ input: child.stdout }).once('line', (line) => resolve(Number(line))),
  )
  const ended = endOf(child).then((how) => [how, ...lines].join('\n'))
  const failed = ended.then((output) => {
    throw new (KILLED.test(output) ? KilledError : StorageError)(explainEnd(cluster, output))
  })
  failed.catch(() => {})
  await Promise.race([ready.promise, failed])
  const server = await Promise.race([pid, failed])
  return { pid: server, ended, stop: () => stop(server, ended) }
}

/** Its output ends with the last of its processes, which may go on with a long query although the server was killed. */
function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('exit', (code, signal) => {
      const how = `It ended with ${signal ?? `status ${code}`}.`
      const timer = setTimeout(resolve, REST_MS, how)
      child.once('close', () => {
        clearTimeout(timer)
        resolve(how)
      })
    })
  })
}

async function stop(pid: number, ended: Promise<string>): Promise<void> {
  for (const [signal, withinMs] of SHUTDOWNS) {
    send(pid, signal)
    const timeout = Promise.withResolvers<'late'>()
    const timer = setTimeout(() => timeout.resolve('late'), withinMs)
    const first = await Promise.race([ended, timeout.promise])
    clearTimeout(timer)
    if (first !== 'late') return
  }
}
