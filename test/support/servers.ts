import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { Client } from 'pg'
import { until } from './until.ts'

/** A server process for one test, with its own port and directory. */
export interface TestServer {
  readonly url: string
  readonly pid: number
  /** Kills the process like a crash; durable data stays. */
  kill(): Promise<void>
  /** Starts it again on the same port and directory. */
  restart(): Promise<void>
  stop(): Promise<void>
}

/** Where Debian keeps binaries that aren't on the PATH. */
const POSTGRES_HOME = '/usr/lib/postgresql'
/** Postgres refuses to run as root; this user exists everywhere. */
const UNPRIVILEGED = 'nobody'
const SUPERUSER = 'weir'
/** Below those that Linux and macOS give away by themselves. */
const PORTS = { from: 20_000, to: 32_000 }

export const POSTGRES_BIN = findPostgres()
export const REDIS_BIN = Bun.which('redis-server') ?? undefined

/**
 * Starts a Postgres server; {@link createDatabase} creates databases.
 * @param more settings
 */
export async function startPostgres(more: readonly string[] = []): Promise<TestServer> {
  const directory = mkdtempSync(join(tmpdir(), 'weir-postgres-'))
  const port = await freePort()
  const asRoot = process.getuid?.() === 0
  const prefix = asRoot
    ? ['setpriv', `--reuid=${UNPRIVILEGED}`, '--regid=nogroup', '--clear-groups', '--']
    : []
  if (asRoot) await run(['chown', UNPRIVILEGED, directory])
  const data = join(directory, 'data')
  await run([
    ...prefix,
    binary('initdb'),
    '-D',
    data,
    '-U',
    SUPERUSER,
    '--auth=trust',
    '--no-sync',
    '-E',
    'UTF8',
  ])
  const settings = [
    'listen_addresses=127.0.0.1',
    `unix_socket_directories=${directory}`,
    'max_connections=200',
    ...more,
  ]
  const command = [
    ...prefix,
    binary('postgres'),
    '-D',
    data,
    '-p',
    String(port),
    ...settings.flatMap((s) => ['-c', s]),
  ]
  const url = `postgres://${SUPERUSER}@127.0.0.1:${port}`
  const answers = async () => {
    const client = new Client({ connectionString: `${url}/postgres` })
    client.on('error', () => {})
    await client.connect()
    await client.end()
    return true
  }
  return serve(command, `${url}/postgres`, directory, answers)
}

/** Starts a Redis server that persists its data, as a queue needs. */
export async function startRedis(): Promise<TestServer> {
  const directory = mkdtempSync(join(tmpdir(), 'weir-redis-'))
  const port = await freePort()
  const settings = {
    port,
    bind: '127.0.0.1',
    dir: directory,
    appendonly: 'yes',
    save: '',
  }
  const command = [
    REDIS_BIN as string,
    ...Object.entries(settings).flatMap(([key, value]) => [`--${key}`, String(value)]),
  ]
  const url = `redis://127.0.0.1:${port}`
  const answers = async () => {
    const redis = new Redis(url, { lazyConnect: true, retryStrategy: () => null })
    redis.on('error', () => {})
    await redis.connect()
    const answer = await redis.ping()
    redis.disconnect()
    return answer === 'PONG'
  }
  return serve(command, url, directory, answers)
}

/** Creates a database on a server started by {@link startPostgres}. */
export async function createDatabase(server: TestServer): Promise<string> {
  const name = `weir_${crypto.randomUUID().replaceAll('-', '')}`
  const client = new Client({ connectionString: server.url })
  await client.connect()
  await client.query(`CREATE DATABASE ${name}`)
  await client.end()
  return server.url.replace(/\/postgres$/, `/${name}`)
}

/** Ends a server whose process ID it gets, when its input ends: with the test's process, however that ends. */
const GUARD = 'read -r _; kill -QUIT "$1"; kill -CONT "$1"; sleep 1; rm -rf "$2"'

async function serve(
  command: string[],
  url: string,
  directory: string,
  answers: () => Promise<boolean>,
): Promise<TestServer> {
  const options = { stdout: 'ignore', stderr: 'ignore', cwd: tmpdir() } as const
  const spawn = () => {
    const server = Bun.spawn(command, options)
    const guard = Bun.spawn(['/bin/sh', '-c', GUARD, 'sh', `${server.pid}`, directory], {
      ...options,
      stdin: 'pipe',
    })
    void server.exited.then(() => guard.kill())
    return server
  }
  const ready = () =>
    until(`${command.at(0)} answers`, () => {
      // Otherwise what answers is another server, which has the same port.
      if (child.exitCode !== null) throw new Error(`${command.join(' ')} ended with ${child.exitCode}`)
      return answers().catch(() => false)
    })
  let child = spawn()
  const kill = async (signal: NodeJS.Signals) => {
    child.kill(signal)
    await child.exited
  }
  await ready()
  return {
    url,
    get pid() {
      return child.pid
    },
    kill: () => kill('SIGKILL'),
    async restart() {
      child = spawn()
      await ready()
    },
    async stop() {
      await kill('SIGQUIT')
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

function findPostgres(): string | undefined {
  const onPath = Bun.which('postgres')
  if (onPath !== null && Bun.which('initdb') !== null) return onPath.slice(0, -'/postgres'.length)
  if (!existsSync(POSTGRES_HOME)) return undefined
  const newest = readdirSync(POSTGRES_HOME).sort((a, b) => Number(b) - Number(a))[0]
  return newest && join(POSTGRES_HOME, newest, 'bin')
}

function binary(name: string): string {
  return join(POSTGRES_BIN as string, name)
}

async function run(command: string[]): Promise<void> {
  const child = Bun.spawn(command, { stdout: 'ignore', stderr: 'pipe', cwd: tmpdir() })
  if ((await child.exited) !== 0)
    throw new Error(`${command.join(' ')}: ${await new Response(child.stderr).text()}`)
}

/** A port that no client's connection and no server without a port of its own gets meanwhile. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = PORTS.from + Math.floor(Math.random() * (PORTS.to - PORTS.from))
    if (await isFree(port)) return port
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
      .once('error', () => resolve(false))
      .listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
