import { mkdirSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { dirname } from 'node:path'
import type { EngineName, Given, Wanted } from './client.ts'
import { type Engine, startEmbedded, startInstalled } from './engines.ts'

/**
 * The supervisor of the servers that test files share. It starts a server when the first test asks for a database on it,
 * drops a database when the connection that asked for it closes, and ends with all servers soon after the last one has.
 * Usage: `bun main.ts <socket path>`; a second one on the same path ends at once.
 */

/** Longer than the pause between two test files, in milliseconds. */
const LINGER_MS = 5_000

const START: Record<EngineName, () => Promise<Engine>> = { embedded: startEmbedded, postgres: startInstalled }

const path = process.argv[2] as string
const engines = new Map<EngineName, Promise<Engine>>()
const users = new Set<Socket>()
let lingering: Timer | undefined
let databases = 0

const server = createServer((socket) => {
  users.add(socket)
  clearTimeout(lingering)
  const name = `test_${databases++}`
  let wanted: Wanted | undefined
  socket.setEncoding('utf8')
  socket.once('data', (line: unknown) => {
    wanted = JSON.parse(String(line)) as Wanted
    void answer(socket, name, wanted)
  })
  socket.on('error', () => {})
  socket.on('close', () => {
    users.delete(socket)
    void drop(name, wanted)
    lingerIfUnused()
  })
})

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void end())
if (await isListening(path)) process.exit(0)
// Nobody else on this machine may connect.
mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
rmSync(path, { force: true })
server.once('error', () => process.exit(0))
server.listen(path, lingerIfUnused)

async function answer(socket: Socket, name: string, wanted: Wanted): Promise<void> {
  const given = await give(name, wanted).catch((error): Given => ({ failure: String(error) }))
  if (socket.destroyed) await drop(name, wanted)
  else socket.write(`${JSON.stringify(given)}\n`)
}

async function give(name: string, { engine, isEmpty = false }: Wanted): Promise<Given> {
  const starting = engines.get(engine) ?? START[engine]()
  engines.set(engine, starting)
  return { url: await (await starting).create(name, isEmpty) }
}

async function drop(name: string, wanted: Wanted | undefined): Promise<void> {
  if (wanted === undefined) return
  await (await engines.get(wanted.engine))?.drop(name).catch(() => {})
}

function lingerIfUnused(): void {
  clearTimeout(lingering)
  if (users.size === 0) lingering = setTimeout(() => void end(), LINGER_MS)
}

async function end(): Promise<void> {
  // Whoever connects from now on starts another one.
  rmSync(dirname(path), { recursive: true, force: true })
  server.close()
  for (const user of users) user.destroy()
  const started = await Promise.allSettled(engines.values())
  await Promise.all(started.map((engine) => engine.status === 'fulfilled' && engine.value.stop()))
  process.exit(0)
}

function isListening(at: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(at, () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}
