import { dirname, join } from 'node:path'

/**
 * Root of the program's own files: the repository, or the executable, which embeds the files listed in `ops/build.ts`
 * under the same paths.
 */
export const ROOT = isExecutable() ? import.meta.dir : join(import.meta.dir, '..')

/** Path of a program for a worker thread; the executable embeds those listed in `ops/build.ts`, compiled. */
export function programFile(path: string): string {
  return join(ROOT, isExecutable() ? path.replace(/\.ts$/, '.js') : path)
}

/**
 * A package's directory.
 * @param of the package that depends on it; omitted: Weir itself
 */
export function packageHome(name: string, of = import.meta.dir): string {
  return isExecutable()
    ? join(ROOT, 'node_modules', name)
    : dirname(Bun.resolveSync(`${name}/package.json`, of))
}

/** Whether this runs from the single executable, without other files of Weir on disk. */
export function isExecutable(): boolean {
  return Bun.embeddedFiles.length > 0
}

/** From now on, only this user can access the files this process creates, whatever umask it was started with. */
export function keepPrivate(): void {
  process.umask(0o077)
}
