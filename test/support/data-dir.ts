import { existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openStorage as openReal } from '../../src/storage/open.ts'
import { accountFor } from '../../src/storage/server/account.ts'
import { dataPath } from '../../src/storage/server/cluster.ts'
import { findPrograms } from '../../src/storage/server/programs.ts'
import { run } from '../../src/storage/server/run.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { hashOf } from './hash.ts'
import { type SharedDatabase, sharedDatabase } from './shared/client.ts'

type Where = Parameters<typeof openReal>[0]

/** Folders that decide what a new database is. */
const SOURCES = ['src/storage/server', 'drizzle/migrations']

/** A new directory with an embedded database in it, as a first start leaves it. */
export async function newDataDir(prefix = 'weir-test-'): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), prefix))
  await fillDataDir(directory)
  return directory
}

/** The same in an existing directory, unless it has a database. */
export async function fillDataDir(directory: string): Promise<void> {
  if (existsSync(join(directory, 'database'))) return
  const copy = Bun.spawn(['cp', '-a', `${await template()}/.`, directory])
  if ((await copy.exited) !== 0) throw new Error(`The database of tests can't be copied to ${directory}`)
}

/** The databases of this test file on the shared server, by their data directory. */
const shared = new Map<string, Promise<SharedDatabase>>()

/**
 * Opens a test's storage as Weir does. Without `databaseUrl`, and unless the directory has an embedded database, it is a
 * database on a Postgres that all test files share: the same one for as long as the test file runs.
 */
export async function openStorage({ databaseUrl, dataDir }: Where): Promise<Storage> {
  if (databaseUrl !== undefined || existsSync(join(dataDir, 'database'))) {
    return openReal({ databaseUrl, dataDir })
  }
  const database = shared.get(dataDir) ?? sharedDatabase({ engine: 'embedded' })
  shared.set(dataDir, database)
  const storage = await openReal({ databaseUrl: (await database).url, dataDir })
  return { ...storage, description: dataDir }
}

/** Deletes a directory and its database, which nobody has open any more. */
export async function removeDataDir(dataDir: string): Promise<void> {
  rmSync(dataDir, { recursive: true, force: true })
  const database = shared.get(dataDir)
  shared.delete(dataDir)
  ;(await database)?.release()
}

/** The database of a first start, made once for all tests on this machine: initdb and all migrations take long. */
async function template(): Promise<string> {
  const path = join(tmpdir(), `weir-template-${hashOf(SOURCES, dropOthers.toString())}`)
  if (existsSync(path)) return path
  const part = mkdtempSync(`${path}-`)
  await (await openReal({ databaseUrl: undefined, dataDir: part })).close()
  await dropOthers(part)
  try {
    renameSync(part, path)
  } catch {
    // Another test process was faster.
    rmSync(part, { recursive: true, force: true })
  }
  return path
}

/** Weir only uses its own database; without Postgres' three, there is a third to copy. */
async function dropOthers(dataDir: string): Promise<void> {
  const directory = join(dataDir, 'database')
  const account = accountFor([directory])
  const { postgres } = await findPrograms(dataDir, account)
  const statements = [
    'UPDATE pg_database SET datistemplate = false',
    ...['postgres', 'template0', 'template1'].map((name) => `DROP DATABASE ${name}`),
  ]
  const input = statements.map((statement) => `${statement}\n`).join('')
  const args = ['--single', '-D', dataPath({ directory, account }), 'weir']
  await run({ program: postgres, args, directory, account, input })
}
