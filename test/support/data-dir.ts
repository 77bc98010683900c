import { existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { optionalDependencies } from '../../package.json'
import { openAsItIs } from '../../src/storage/open.ts'

/** What a new database is, made once for all tests on this machine: making one takes most of a start. */
const TEMPLATE = join(
  tmpdir(),
  `weir-template-${Object.values(optionalDependencies)[0]}-${process.getuid?.() ?? ''}`,
)

/** A new directory with an embedded database in it, as a first start makes it. */
export async function newDataDir(prefix = 'weir-test-'): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), prefix))
  await fillDataDir(directory)
  return directory
}

/** The same in a directory that is there. */
export async function fillDataDir(directory: string): Promise<void> {
  if (!existsSync(TEMPLATE)) await makeTemplate()
  const copy = Bun.spawn(['cp', '-a', `${TEMPLATE}/.`, directory])
  if ((await copy.exited) !== 0) throw new Error(`${TEMPLATE} can't be copied to ${directory}`)
}

async function makeTemplate(): Promise<void> {
  const part = mkdtempSync(`${TEMPLATE}-`)
  const storage = await openAsItIs({ databaseUrl: undefined, dataDir: part })
  await storage.close()
  try {
    renameSync(part, TEMPLATE)
  } catch {
    // Another process of the tests was faster.
    rmSync(part, { recursive: true, force: true })
  }
}
