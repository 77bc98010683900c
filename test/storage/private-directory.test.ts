import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { chmodSync, lstatSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isLocked, tryLock } from '../../src/storage/directory-lock.ts'
import { claimDirectory, LOCK_FILE, tighten } from '../../src/storage/private-directory.ts'
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

test('the file of a lock is its user’s only, and the lock is held by one', () => {
  const path = join(root, 'lock')
  expect(isLocked(path)).toBe(false)
  const release = tryLock(path)
  expect(modeOf(path)).toBe(0o600)
  expect([tryLock(path), isLocked(path)]).toEqual([undefined, true])
  release?.()
  expect(isLocked(path)).toBe(false)
})
