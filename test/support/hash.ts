import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { optionalDependencies } from '../../package.json'

const ROOT = join(import.meta.dir, '../..')

/** A name for the present content of these folders, the version of Postgres, this user, and `more`. */
export function hashOf(folders: readonly string[], more = ''): string {
  const files = folders
    .flatMap((path) => readdirSync(join(ROOT, path), { withFileTypes: true, recursive: true }))
    .filter((file) => file.isFile())
    .map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'utf8'))
  const hash = Bun.hash([...files.sort(), more, JSON.stringify(optionalDependencies)].join('\0'))
  return `${hash.toString(36)}-${process.getuid?.() ?? ''}`
}
