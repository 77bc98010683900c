import { afterEach, beforeEach, expect, test } from 'bun:test'
import { spawn } from 'node:child_process'
import { chownSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { childrenOf, commandOf, isAlive } from '../faults/child.ts'
import { newDataDir } from '../support/data-dir.ts'
import { spawnWeir, type WeirProcess } from '../support/process.ts'
import { until } from '../support/until.ts'

let dataDir: string
let started: WeirProcess[]
beforeEach(async () => {
  dataDir = await newDataDir('weir-abandoned-')
  started = []
})
afterEach(async () => {
  for (const { child } of started) child.kill('SIGKILL')
  await Promise.all(started.map(({ child }) => child.exited))
  rmSync(dataDir, { recursive: true, force: true })
})

function start(environment: Record<string, string> = {}): WeirProcess {
  const weir = spawnWeir({ DATA_DIR: dataDir, ...environment })
  started.push(weir)
  return weir
}

const serverPid = () => Number(readFileSync(join(dataDir, 'database/postmaster.pid'), 'utf8').split('\n')[0])

test('the server ends with a Weir that is killed, and the next one goes on', async () => {
  const first = start()
  await first.url()
  const pid = serverPid()
  first.child.kill('SIGKILL')
  await until('the server has ended', () => !isAlive(pid))
  const second = start()
  await second.url()
  expect(serverPid()).not.toBe(pid)
  second.child.kill('SIGTERM')
  expect((await second.ended()).code).toBe(0)
  expect(second.output()).not.toContain('weir:')
})

test('a server that lost both its Weir and what watches it is ended by the next start', async () => {
  const first = start()
  await first.url()
  const pid = serverPid()
  const guards = childrenOf(first.child.pid).filter((child) => commandOf(child)[0] === '/bin/sh')
  expect(guards).toHaveLength(1)
  // Frozen first, so that it can't start another.
  first.child.kill('SIGSTOP')
  for (const guard of guards)
    for (const each of [guard, ...childrenOf(guard)]) if (each !== pid) process.kill(each, 'SIGKILL')
  first.child.kill('SIGKILL')
  await first.child.exited
  expect(isAlive(pid)).toBe(true)
  const second = start()
  await second.url()
  expect(isAlive(pid)).toBe(false)
  second.child.kill('SIGTERM')
  expect((await second.ended()).code).toBe(0)
})

test("a server's lock files that name a process of somebody else now don't keep the next from starting", async () => {
  const { uid, gid } = statSync(join(dataDir, 'database'))
  // A process with the number that the server had, as after the machine has restarted.
  const { pid } = spawn('sleep', ['60'], { uid, gid, stdio: 'ignore' })
  try {
    for (const name of ['postmaster.pid', '.s.PGSQL.5432.lock']) {
      const path = join(dataDir, 'database', name)
      writeFileSync(path, `${pid}\n${join(dataDir, 'database')}\n0\n5432\n.\n`)
      chownSync(path, uid, gid)
    }
    const weir = start()
    await weir.url()
    weir.child.kill('SIGTERM')
    expect((await weir.ended()).code).toBe(0)
    expect(isAlive(pid as number)).toBe(true)
  } finally {
    process.kill(pid as number)
  }
})

test('a Weir that is killed while it makes its database leaves nothing in the way of the next', async () => {
  rmSync(join(dataDir, 'database'), { recursive: true })
  const first = start()
  await until('initdb has begun', () => existsSync(join(dataDir, 'database.part/global')))
  first.child.kill('SIGKILL')
  const second = start()
  await second.url()
  expect(existsSync(join(dataDir, 'database.part'))).toBe(false)
  second.child.kill('SIGTERM')
  expect((await second.ended()).code).toBe(0)
  expect(second.output()).not.toContain('weir:')
})

test('the server has neither the group of processes, which hears Ctrl-C, nor the user of a Weir that is root', async () => {
  const weir = start()
  await weir.url()
  const pid = serverPid()
  const groupOf = (of: number) =>
    readFileSync(`/proc/${of}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ')[2]
  expect(groupOf(pid)).not.toBe(groupOf(weir.child.pid))
  expect(/^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]).not.toBe('0')
  weir.child.kill('SIGINT')
  const { code, output } = await weir.ended()
  expect([code, isAlive(pid)]).toEqual([0, false])
  expect(output).not.toContain('weir:')
})
