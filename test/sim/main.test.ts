import { expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deadUrl, recordingServer, stubWeir, until } from './support.ts'

const MAIN = new URL('../../src/sim/main.ts', import.meta.url).pathname

function run(...argv: string[]) {
  const env = { ...process.env, WEIR_TOKEN: 'secret' }
  const child = Bun.spawn([process.execPath, MAIN, ...argv], { stdout: 'pipe', stderr: 'pipe', env })
  const out = { stdout: '', stderr: '' }
  const collect = async (name: 'stdout' | 'stderr') => {
    const decoder = new TextDecoder()
    for await (const chunk of child[name]) out[name] += decoder.decode(chunk, { stream: true })
  }
  const done = Promise.all([collect('stdout'), collect('stderr'), child.exited])
  return { child, out, done, [Symbol.dispose]: () => child.kill('SIGKILL') }
}

test.each(['SIGINT', 'SIGTERM'] as const)(
  'the program starts the graph, says what it did and ends with 0 on %s',
  async (signal) => {
    await using weir = stubWeir()
    using program = run('--port-base', '0', '--seed', '5', '--web', weir.url)
    await until(() => program.out.stdout.includes('16 streams registered'))
    expect(program.out.stdout).toStartWith('seed 5\n')
    expect(program.out.stdout).toMatch(/^UI +http:\/\/127\.0\.0\.1:\d+$/m)
    expect(weir.requests[0]?.authorization).toBe('Bearer secret')
    program.child.kill(signal)
    await program.done
    expect(program.child.exitCode).toBe(0)
    expect(program.out.stderr).toBe('')
  },
)

test('the program exits in time despite open streams and activations in progress', async () => {
  await using weir = stubWeir()
  using program = run('-l', '0', '-n', 'T', '-t', '600000', '--web', weir.url)
  const url = await until(() => /http:\/\/127\.0\.0\.1:\d+$/m.exec(program.out.stdout)?.[0])
  const reader = await fetch(`${url}/events`)
  const activation = fetch(`${url}/activate`, { method: 'POST', body: '{}' }).catch(() => undefined)
  await until(() => weir.colorsOf('T').length === 1)
  program.child.kill('SIGTERM')
  await program.done
  expect(program.child.exitCode).toBe(0)
  await activation
  await reader.body?.cancel().catch(() => {})
})

test('a random seed is printed when none is given', async () => {
  using program = run('-l', '0', '-n', 'T', '--no-register', '--web', await deadUrl())
  await until(() => /^seed \d+$/m.test(program.out.stdout))
})

test('invalid arguments exit with 2, each named', async () => {
  using program = run('--port-base', 'x', '--seed', 'y')
  await program.done
  expect(program.child.exitCode).toBe(2)
  expect(program.out.stderr).toContain('--port-base:')
  expect(program.out.stderr).toContain('--seed:')
})

test('an invalid graph file exits with 2, with a sentence per error', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'weir-graph-'))
  const path = join(directory, 'graph.yaml')
  await Bun.write(path, 'services:\n  - {name: a, calls: [b]}\n  - {name: b, calls: [a], kind: shop}\n')
  using program = run('--graph', path)
  await program.done
  rmSync(directory, { recursive: true })
  expect(program.child.exitCode).toBe(2)
  expect(program.out.stdout).toBe('')
  expect(program.out.stderr.trimEnd().split('\n')).toEqual([
    `${path}: services[1].kind (line 3): expected service, database, queue, got "shop"`,
    `${path}: services[0] (line 2): calls form a cycle: a → b → a`,
  ])
})

test('the shop starts, and its traffic can be changed at the printed address', async () => {
  using program = run('--graph', 'shop', '--port-base', '0', '--no-register', '--web', await deadUrl())
  const url = await until(() => /^traffic: (\S+)$/m.exec(program.out.stdout)?.[1])
  expect(program.out.stdout.match(/^[a-z-]+ +http:\/\/127\.0\.0\.1:\d+$/gm)).toHaveLength(25)
  expect(await (await fetch(url, { method: 'PUT', body: '[]' })).json()).toEqual([])
  program.child.kill('SIGTERM')
  await program.done
  expect(program.child.exitCode).toBe(0)
})

test('a taken port exits with 1 and a message', async () => {
  await using other = recordingServer(() => new Response())
  using program = run('-n', 'T', '-l', other.address, '--no-register')
  await program.done
  expect(program.child.exitCode).toBe(1)
  expect(program.out.stderr).toMatch(/^T can't listen on port \d+ .*the port is taken\. .*--listen\.\n$/)
})

test('help exits with 0', async () => {
  using program = run('--help')
  await program.done
  expect(program.child.exitCode).toBe(0)
  expect(program.out.stdout).toContain('--port-base')
})
