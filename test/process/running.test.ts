import { afterAll, expect, test } from 'bun:test'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { noteAddress, runningWeir } from '../../src/running.ts'
import { until } from '../support/until.ts'
import { startTestWeir } from '../support/weir.ts'

const directory = mkdtempSync(join(tmpdir(), 'weir-running-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

test('a Weir is found by WEIR_URL, then PORT, then by the data directory that it uses', async () => {
  const weir = await startTestWeir()
  const remove = noteAddress(directory, weir.url)
  const note = join(directory, 'address')
  expect(statSync(note).mode & 0o777).toBe(0o600)
  expect(await runningWeir({ DATA_DIR: directory })).toBe(weir.url)
  expect(await runningWeir({ DATA_DIR: directory, PORT: '4100' })).toBe('http://localhost:4100')
  expect(await runningWeir({ DATA_DIR: directory, PORT: '0' })).toBe(weir.url)
  const named = { DATA_DIR: directory, PORT: '4100', WEIR_URL: 'https://weir.test/base' }
  expect(await runningWeir(named)).toBe('https://weir.test/base')
  // Another one has taken the directory over: its note stays.
  writeFileSync(note, 'http://localhost:1\n')
  remove()
  expect(readFileSync(note, 'utf8')).toBe('http://localhost:1\n')
  // Nobody answers there any more.
  expect(await runningWeir({ DATA_DIR: directory })).toBeUndefined()
  noteAddress(directory, weir.url)()
  expect(existsSync(note)).toBe(false)
  expect(await runningWeir({ DATA_DIR: directory })).toBeUndefined()
  await weir.close()
})

test('a note that can’t be written, or isn’t one, is as none', async () => {
  expect(() => noteAddress(join(directory, 'missing'), 'http://localhost:1')()).not.toThrow()
  writeFileSync(join(directory, 'address'), 'file:///etc/passwd\n')
  expect(await runningWeir({ DATA_DIR: directory })).toBeUndefined()
})

test('the simulation finds the Weir of its data directory, and removes what it registered if asked', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'weir-running-'))
  const start = (script: string, ...args: string[]) =>
    Bun.spawn([process.execPath, join(import.meta.dir, '../../src', script), ...args], {
      env: {
        PATH: process.env.PATH,
        HOME: process.env.HOME,
        DATA_DIR: dataDir,
        ...(args.length === 0 && { PORT: '0' }),
      },
      stdout: Bun.file(join(dataDir, `${script.replace('/', '-')}.log`)),
      stderr: 'ignore',
    })
  await using weir = start('main.ts')
  const url = await until('Weir listens', () => runningWeir({ DATA_DIR: dataDir }))
  const streams = async () => {
    const { items } = (await (await fetch(`${url}/api/streams`)).json()) as { items: { tags: string[] }[] }
    return items
  }
  const simulation = start('sim/main.ts', '--port-base', '0', '--remove', '--traffic', '0')
  await until('its streams are registered', async () => (await streams()).length === 16)
  simulation.kill('SIGINT')
  expect(await simulation.exited).toBe(0)
  expect(await streams()).toEqual([])
  const said = readFileSync(join(dataDir, 'sim-main.ts.log'), 'utf8')
  expect(said).toContain(`Weir: ${url}\n`)
  expect(said).toContain('16 streams removed')
  weir.kill('SIGTERM')
  expect(await weir.exited).toBe(0)
  expect(existsSync(join(dataDir, 'address'))).toBe(false)
  rmSync(dataDir, { recursive: true, force: true })
})
