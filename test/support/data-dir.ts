import { existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { optionalDependencies } from '../../package.json'
import { openStorage as openReal } from '../../src/storage/open.ts'
import { accountFor } from '../../src/storage/server/account.ts'
import { dataPath } from '../../src/storage/server/cluster.ts'
import { findPrograms } from '../../src/storage/server/programs.ts'
import { run } from '../../src/storage/server/run.ts'
import type { Storage } from '../../src/storage/storage.ts'

/** Files that decide what a new database is. */
const SOURCES = ['src/storage/server', 'drizzle/migrations'].map((path) =>
  join(import.meta.dir, '../..', path),
)

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

/** Opens a test's storage as Weir does; an embedded database isn't created but copied. */
export async function openStorage(where: Parameters<typeof openReal>[0]): Promise<Storage> {
  if (where.databaseUrl === undefined) await fillDataDir(where.dataDir)
  return openReal(where)
}

/** The database of a first start, made once for all tests on this machine: initdb and all migrations take long. */
async function template(): Promise<string> {
  const path = join(tmpdir(), `weir-template-${templateKey()}`)
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

function templateKey(): string {
  const files = SOURCES.flatMap((path) => readdirSync(path, { withFileTypes: true, recursive: true }))
    .filter((file) => file.isFile())
    .map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'utf8'))
  const hash = Bun.hash(
    [...files.sort(), dropOthers.toString(), JSON.stringify(optionalDependencies)].join('\0'),
  )
  return `${hash.toString(36)}-${process.getuid?.() ?? ''}`
}
