import { afterEach, beforeEach, expect, test } from 'bun:test'
import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openAsItIs } from '../../src/storage/open.ts'
import { spawnCli } from '../cli/support.ts'
import { spawnWeir } from '../support/process.ts'
import { modeOf, openTo } from './modes.ts'

let root: string
let umask: number
beforeEach(() => {
  umask = process.umask(0o000)
  root = mkdtempSync(join(tmpdir(), 'weir-private-'))
  chmodSync(root, 0o777)
})
afterEach(() => {
  process.umask(umask)
  rmSync(root, { recursive: true, force: true })
})

test('all files of an embedded database belong to its user only, from the first on', async () => {
  const data = join(root, 'data')
  const storage = await openAsItIs({ dataDir: data, databaseUrl: undefined })
  try {
    await storage.pool.query('CREATE TABLE later AS SELECT generate_series(1, 10000)')
    expect(openTo(data)).toEqual([])
    expect(readdirSync(join(data, 'database')).length).toBeGreaterThan(10)
  } finally {
    await storage.close()
  }
})

test('a Weir started with an open umask and directory leaves nothing, including backups, readable by others', async () => {
  const data = join(root, 'data')
  const environment = { DATA_DIR: data }
  const first = spawnWeir(environment)
  await first.url()
  first.child.kill('SIGTERM')
  await first.ended()
  expect(openTo(data)).toEqual([])
  for (const name of readdirSync(data, { recursive: true, encoding: 'utf8' }))
    chmodSync(join(data, name), 0o777)
  chmodSync(data, 0o777)
  const second = spawnWeir(environment)
  try {
    const url = await second.url()
    expect(openTo(data)).toEqual([])
    // Left by a backup that was broken off, when others could open it.
    writeFileSync(join(root, 'kept.gz.part'), 'x')
    const taken = await spawnCli(['backup', join(root, 'kept.gz')], { WEIR_URL: url }).ended()
    expect([taken.code, modeOf(join(root, 'kept.gz'))]).toEqual([0, 0o600])
  } finally {
    second.child.kill('SIGTERM')
    await second.ended()
  }
  const restored = join(root, 'restored')
  const into = await spawnCli(['restore', join(root, 'kept.gz')], { DATA_DIR: restored }).ended()
  expect([into.code, openTo(restored)]).toEqual([0, []])
})
