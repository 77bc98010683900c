import { spawn } from 'node:child_process'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hashOf } from '../hash.ts'

/** The servers that test files share: Weir's own Postgres, and the installed one. */
export type EngineName = 'embedded' | 'postgres'

/** What a test asks the supervisor for. */
export interface Wanted {
  engine: EngineName
  /** Without Weir's schema. */
  isEmpty?: boolean
}

/** What the supervisor answers: one line. */
export type Given = { url: string } | { failure: string }

/** A database on a shared server. */
export interface SharedDatabase {
  readonly url: string
  /** Lets the supervisor drop it; the end of the test file does the same. */
  release(): void
}

const SOURCES = ['test/support/shared', 'src/storage', 'src/queue', 'drizzle/migrations']
const PROGRAM = join(import.meta.dir, 'main.ts')
/** How long a test waits for a supervisor, which may first have to start, in milliseconds. */
const PATIENCE_MS = 60_000
const RETRY_MS = 50
/** A supervisor that was started needs this long to listen, in milliseconds: then another one is started. */
const START_MS = 5_000

/** A database of one's own on a shared server. The first caller on this machine starts the server. */
export async function sharedDatabase(wanted: Wanted): Promise<SharedDatabase> {
  const path = socketPath()
  const deadline = performance.now() + PATIENCE_MS
  let startedAt = Number.NEGATIVE_INFINITY
  while (performance.now() < deadline) {
    const given = await ask(path, wanted)
    if (given !== undefined) return given
    if (performance.now() - startedAt > START_MS) {
      startedAt = performance.now()
      startSupervisor(path)
    }
    await Bun.sleep(RETRY_MS)
  }
  throw new Error('The supervisor of the shared servers does not answer')
}

/** One per checkout, and per version of what decides a database. */
function socketPath(): string {
  const directory = join(tmpdir(), `weir-shared-${hashOf(SOURCES, import.meta.dir)}`)
  return join(directory, 'socket')
}

/**
 * It ends when nobody uses it, and not when one of its users does: it has a session of its own, and isn't a child of this
 * process, because Bun kills the children of a test that takes too long.
 */
function startSupervisor(path: string): void {
  const command = ['-c', '"$@" &', 'sh', process.execPath, PROGRAM, path]
  spawn('/bin/sh', command, { stdio: 'ignore', detached: true }).unref()
}

/** The database exists for as long as the connection by which it was asked for. */
function ask(path: string, wanted: Wanted): Promise<SharedDatabase | undefined> {
  return new Promise((resolve, reject) => {
    let answer = ''
    const socket: Socket = connect(path, () => socket.write(`${JSON.stringify(wanted)}\n`))
    socket.setEncoding('utf8')
    socket.on('data', (text) => {
      answer += String(text)
      if (!answer.endsWith('\n')) return
      const given = JSON.parse(answer) as Given
      if ('failure' in given) return reject(new Error(given.failure))
      // It doesn't keep the test process from ending.
      socket.unref()
      resolve({ url: given.url, release: () => socket.destroy() })
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve(undefined))
  })
}
