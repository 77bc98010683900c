import { expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isLocked, lockDirectory } from '../../src/storage/directory-lock.ts'
import { LOCK_FILE } from '../../src/storage/private-directory.ts'

/** Looks at a lock as `weir doctor` does, and takes a moment over it. */
const LOOKER = `
  const { Database } = require('bun:sqlite')
  const file = new Database(process.argv[1], { readonly: true })
  file.run('BEGIN')
  file.run('SELECT count(*) FROM sqlite_schema')
  console.log('looking')
  await Bun.sleep(50)
  file.close()`

test('a look at the lock keeps no Weir from starting', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'weir-lock-'))
  try {
    const path = join(directory, LOCK_FILE)
    lockDirectory(directory)()
    const looker = Bun.spawn([process.execPath, '-e', LOOKER, path], { stdout: 'pipe' })
    for await (const _ of looker.stdout) break
    const release = lockDirectory(directory)
    expect(isLocked(path)).toBe(true)
    expect(() => lockDirectory(directory)).toThrow(`Another Weir is using ${directory}.`)
    release()
    await looker.exited
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})
