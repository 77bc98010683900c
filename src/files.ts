import { dirname, join } from 'node:path'

/**
 * Where the program's own files lie: in the repository, or in the executable, which carries those that `ops/build.ts`
 * names, under the same paths.
 */
export const ROOT = isExecutable() ? import.meta.dir : join(import.meta.dir, '..')

/** A program of its own, for a thread of its own; the executable carries those that `ops/build.ts` names, built. */
export function programFile(path: string): string {
  return join(ROOT, isExecutable() ? path.replace(/\.ts$/, '.js') : path)
}

/** A package's directory. @param of the package whose dependency it is; left out: Weir's own */
export function packageHome(name: string, of = import.meta.dir): string {
  return isExecutable()
    ? join(ROOT, 'node_modules', name)
    : dirname(Bun.resolveSync(`${name}/package.json`, of))
}

/** Whether this runs from a single executable, with nothing of Weir beside it on the disk. */
export function isExecutable(): boolean {
  return Bun.embeddedFiles.length > 0
}

/** From now on, nobody but this user reads or writes what this process makes, whatever it was started with. */
export function keepPrivate(): void {
  process.umask(0o077)
}
