import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openAsItIs } from '../../src/storage/open.ts'
import { claimDirectory, LOCK_FILE, tighten } from '../../src/storage/private-directory.ts'
import { spawnCli } from '../cli/support.ts'
import { spawnWeir } from '../support/process.ts'

const OF_OTHERS = 0o077

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

const modeOf = (path: string) => lstatSync(path).mode & 0o777
/** Paths, from a directory on, that others may do something with. */
function openTo(directory: string): string[] {
  const below = readdirSync(directory, { recursive: true, encoding: 'utf8' }).map((name) =>
    join(directory, name),
  )
  return [directory, ...below].filter((path) => (modeOf(path) & OF_OTHERS) !== 0)
}

describe('a directory for data', () => {
  test('is created for this user only, whatever the umask', () => {
    claimDirectory(join(root, 'new', 'data'))
    expect(modeOf(join(root, 'new', 'data'))).toBe(0o700)
  })

  test('that Weir left open is closed with its content, except for targets of links', () => {
    const data = join(root, 'data')
    mkdirSync(join(data, 'database', 'base'), { recursive: true })
    for (const name of [LOCK_FILE, 'database/PG_VERSION', 'database/base/1'])
      writeFileSync(join(data, name), 'x')
    writeFileSync(join(root, 'elsewhere'), 'x')
    symlinkSync(join(root, 'elsewhere'), join(data, 'link'))
    claimDirectory(data)
    expect(modeOf(join(data, 'database/base/1'))).toBe(0o600)
    expect(modeOf(join(data, 'database/base'))).toBe(0o700)
    expect(openTo(data).filter((path) => !lstatSync(path).isSymbolicLink())).toEqual([])
    expect([modeOf(join(root, 'elsewhere')), modeOf(root)]).toEqual([0o666, 0o777])
  })

  test('with files that aren’t Weir’s is refused while others can read it, and left unchanged', () => {
    mkdirSync(join(root, 'etc'))
    writeFileSync(join(root, 'etc', 'passwd'), 'x')
    expect(() => claimDirectory(join(root, 'etc'))).toThrow(/DATA_DIR.*chmod 700/)
    expect([modeOf(join(root, 'etc')), modeOf(join(root, 'etc', 'passwd'))]).toEqual([0o777, 0o666])
    chmodSync(join(root, 'etc'), 0o700)
    claimDirectory(join(root, 'etc'))
  })

  test('that is empty, as on a new volume, is accepted', () => {
    mkdirSync(join(root, 'volume', 'lost+found'), { recursive: true })
    claimDirectory(join(root, 'volume'))
    expect(modeOf(join(root, 'volume'))).toBe(0o700)
  })

  test('is closed first if it contains too many entries to check', () => {
    mkdirSync(join(root, 'data'))
    for (let file = 0; file < 20; file++) writeFileSync(join(root, 'data', `${file}`), 'x')
    tighten(join(root, 'data'), 5)
    expect(modeOf(join(root, 'data'))).toBe(0o700)
    expect(openTo(join(root, 'data')).length).toBe(16)
  })
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
