import { afterEach, beforeEach, expect, test } from 'bun:test'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { packageHome } from '../../src/files.ts'
import { openAsItIs } from '../../src/storage/open.ts'
import { PACKAGE } from '../../src/storage/server/programs.ts'
import { newDataDir } from '../support/data-dir.ts'
import { inMounts, onSmallDisk, withMounts } from '../support/mounts.ts'

const source = (path: string) => JSON.stringify(join(import.meta.dir, '../../src/storage', path))
/** Opens a directory, and says how that goes. */
const OPENER = `
  const { openAsItIs } = await import(${source('open.ts')})
  const storage = openAsItIs({ databaseUrl: undefined, dataDir: process.argv[1] })
  const how = await storage.then(() => 'opened', (error) => error.constructor.name + ': ' + error.message)
  console.log(how)
  await (await storage.catch(() => {}))?.close()`

let home: string
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'weir-disk-'))
})
afterEach(() => rmSync(home, { recursive: true, force: true }))

test('a file in place of the data directory is refused', async () => {
  const file = join(home, 'file')
  writeFileSync(file, '')
  await expect(openAsItIs({ databaseUrl: undefined, dataDir: file })).rejects.toThrow(
    `${file} isn't a directory. Set DATA_DIR to a directory.`,
  )
})

inMounts('a directory that is read-only is refused in one sentence', async () => {
  const dataDir = await newDataDir('weir-disk-')
  try {
    const out = await withMounts('mount --bind "$1" "$1" && mount -o remount,ro,bind "$1"', OPENER, dataDir)
    expect(out).toMatch(/^StorageError: .*lock\.sqlite is on a read-only file system\. .*DATA_DIR.*\n$/)
  } finally {
    rmSync(dataDir, { recursive: true, force: true })
  }
})

inMounts('a disk that is too small for a new database is named, and has its space again', async () => {
  const sized = `${OPENER}
    console.log(require('node:fs').readdirSync(process.argv[1]).sort().join())`
  expect(await onSmallDisk(home, 20, sized)).toBe(
    `StorageError: The disk of ${home} is full. Free some space and start Weir again. What was stored before is unchanged.\n` +
      'lock.sqlite,postgres.password\n',
  )
})

inMounts('a package that is missing is named', async () => {
  const hide = `mount -t tmpfs none '${dirname(packageHome(PACKAGE))}'`
  expect(await withMounts(hide, OPENER, home)).toBe(
    `StorageError: The package ${PACKAGE} isn't installed. Run bun install, or set DATABASE_URL to a Postgres server.\n`,
  )
})

const asRoot = process.getuid?.() === 0 ? test : test.skip

asRoot('programs are not put where a link of somebody else leads', async () => {
  const [secret, temporary, dataDir] = ['secret', 'tmp', 'data'].map((name) => join(home, name)) as [
    string,
    string,
    string,
  ]
  for (const each of [secret, temporary, dataDir]) mkdirSync(each, { mode: 0o700 })
  writeFileSync(join(secret, 'key'), '', { mode: 0o600 })
  const program = `
    const { placeFor } = await import(${source('server/programs.ts')})
    console.log(placeFor(process.argv[1], { uid: 65534, gid: 65534 }))`
  const placed = async () => {
    const child = Bun.spawn([process.execPath, '-e', program, dataDir], {
      env: { ...process.env, TMPDIR: temporary },
      stdout: 'pipe',
    })
    return dirname((await new Response(child.stdout).text()).trim())
  }
  const usual = await placed()
  expect([dirname(usual), statSync(usual).mode & 0o777]).toEqual([temporary, 0o755])
  expect(await placed()).toBe(usual)
  chmodSync(usual, 0o777)
  expect(await placed()).toStartWith(`${usual}-`)
  rmSync(usual, { recursive: true })
  symlinkSync(secret, usual)
  expect(await placed()).toStartWith(`${usual}-`)
  expect(existsSync(join(secret, 'native'))).toBe(false)
})
