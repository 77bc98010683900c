import { afterAll, expect, test } from 'bun:test'
import { rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { newDataDir } from '../support/data-dir.ts'
import { spawnWeir, type WeirProcess } from '../support/process.ts'
import { until } from '../support/until.ts'

const TOKEN = 'hush-a-token-of-these-tests'
const started: WeirProcess[] = []
const undo: (() => unknown)[] = []

afterAll(async () => {
  for (const { child } of started) child.kill('SIGKILL')
  for (const each of undo) await each()
})

function start(environment: Record<string, string>): WeirProcess {
  const meddle = `--preload=${join(import.meta.dir, 'meddle.ts')}`
  const weir = spawnWeir({ ...environment, BUN_OPTIONS: meddle })
  started.push(weir)
  return weir
}

const says = (weir: WeirProcess, text: string) =>
  until(`it says "${text}"`, () => weir.output().includes(text))

/** A database that accepts connections and never answers. */
async function hangingDatabase(): Promise<string> {
  const sockets: Socket[] = []
  const server = await new Promise<Server>((resolve) => {
    const listening = createServer((socket) => {
      sockets.push(socket.on('error', () => {}))
    }).listen(0, '127.0.0.1', () => resolve(listening))
  })
  undo.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return `postgres://weir@127.0.0.1:${(server.address() as { port: number }).port}/weir`
}

test('a Weir logs what it is told to, hides secrets, stays small and private, and says if it can’t close', async () => {
  const directory = await newDataDir('weir-main-')
  undo.push(() => rmSync(directory, { recursive: true, force: true }))
  const weir = start({
    ...{ DATA_DIR: directory, WEIR_TOKEN: TOKEN, LOG_LEVEL: 'debug', DRAIN_MS: '1000', MEDDLE: 'large fail' },
    ...{ PGPASSWORD: 'of-others', BUN_CONFIG_MAX_HTTP_REQUESTS: '100' },
  })
  const url = await weir.url()
  expect(weir.output()).toContain('Only 100 requests can be open at a time.')
  await fetch(`${url}/streams/${TOKEN}`, { headers: { Authorization: `Bearer ${TOKEN}` } })
  await says(weir, 'GET /streams/:id')
  await says(weir, 'meddle: collected 1')
  // Metrics can't be read here, which is a bug.
  await fetch(`${url}/metrics`, { headers: { Authorization: `Bearer ${TOKEN}` } })
  await says(weir, 'weir: GET /metrics')
  weir.child.kill('SIGTERM')
  const { code, output } = await weir.ended()
  expect(code).toBe(1)
  expect(output).toContain('Shutting down…')
  expect(output).toContain('weir: Shutdown failed')
  expect(output).toContain('nothing works')
  expect(output).toContain('meddle: umask 77, PGPASSWORD undefined')
  expect(output).not.toContain(TOKEN)
  // The next collection is due after growth only.
  expect(output).not.toContain('meddle: collected 2')
})

test('a shutdown that hangs is forced, after what may be drained', async () => {
  const weir = start({
    ...{ DATABASE_URL: await hangingDatabase(), BUN_CONFIG_MAX_HTTP_REQUESTS: '' },
    ...{ DRAIN_MS: '1000', MEDDLE: 'hang now', FORCED_AFTER_MS: '5500' },
  })
  await says(weir, 'meddle: it handles SIGTERM')
  expect(weir.output()).toContain('Only 256 requests can be open at a time.')
  weir.child.kill('SIGTERM')
  const { code, output } = await weir.ended()
  expect(output).toContain('meddle: it will be forced')
  expect(code).toBe(1)
})

test('a second Ctrl-C ends it at once', async () => {
  const weir = start({ DATABASE_URL: await hangingDatabase(), MEDDLE: 'hang', FORCED_AFTER_MS: '4500' })
  await says(weir, 'meddle: it handles SIGTERM')
  expect(weir.output()).not.toContain('requests can be open')
  weir.child.kill('SIGINT')
  await says(weir, 'meddle: it will be forced')
  weir.child.kill('SIGINT')
  const { code, output } = await weir.ended()
  expect(code).toBe(1)
  expect(output).not.toContain('weir:')
})
