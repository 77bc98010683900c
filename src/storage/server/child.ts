import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { StorageError } from '../storage.ts'
import { type Cluster, dataPath } from './cluster.ts'
import { send } from './leftovers.ts'
import { SERVER_ARGS } from './settings.ts'

/** Kept of what a server says, in lines: what explains its end. */
const LINES_KEPT = 20
/**
 * What a server is asked to do, and the longest wait for it, in milliseconds: to let connections that are closing close,
 * to break off the others, and to leave to its next start what it had to write.
 */
const SHUTDOWNS = [
  ['SIGTERM', 500],
  ['SIGINT', 1_500],
  ['SIGQUIT', 500],
  ['SIGKILL', 1_000],
] as const
const READY = 'database system is ready to accept connections'
/**
 * Ends the server with whoever started it, however that ends: then, and only then, its standard input does. Says which
 * process the server is, and ends as that does.
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

/** A server process, from its start to its end. */
export interface ServerChild {
  readonly pid: number
  /** Its last words, once it and all of its parts have ended. */
  readonly ended: Promise<string>
  /** Ends it in order: nothing that it has acknowledged is lost. */
  stop(): Promise<void>
}

/**
 * Starts a server, and waits until it takes connections: after a crash, it first does again what it had acknowledged.
 * @throws StorageError with its last words when it ends before
 */
export async function startChild(cluster: Cluster, postgres: string): Promise<ServerChild> {
  const { directory, account } = cluster
  const args = ['-c', GUARD, 'sh', postgres, '-D', dataPath(cluster), ...SERVER_ARGS]
  // In a session of its own: Ctrl-C is for Weir, which still has to write.
  const child = spawn('/bin/sh', args, { ...account, cwd: directory, detached: true, stdio: 'pipe' })
  child.stdin.on('error', () => {})
  const lines: string[] = []
  const ready = Promise.withResolvers<void>()
  createInterface({ input: child.stderr }).on('line', (line) => {
    lines.push(line)
    if (lines.length > LINES_KEPT) lines.shift()
    if (line.includes(READY)) ready.resolve()
  })
  const pid = new Promise<number>((resolve) =>
    createInterface({ input: child.stdout }).once('line', (line) => resolve(Number(line))),
  )
  const ended = endOf(child).then((how) => [how, ...lines].join('\n'))
  const failed = ended.then((words) => {
    throw new StorageError(`The embedded Postgres doesn't start. It says:\n${words}`)
  })
  failed.catch(() => {})
  await Promise.race([ready.promise, failed])
  const server = await Promise.race([pid, failed])
  return { pid: server, ended, stop: () => stop(server, ended) }
}

/** Its streams end with the last of its parts. */
function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('close', (code, signal) => resolve(`It ended with ${signal ?? `status ${code}`}.`))
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
