import { lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

const OF_OTHERS = 0o077

export const modeOf = (path: string) => lstatSync(path).mode & 0o777
/** What a running server has removed since it was listed is open to nobody. */
const isOpenTo = (path: string) => ((lstatSync(path, { throwIfNoEntry: false })?.mode ?? 0) & OF_OTHERS) !== 0

/** Paths, from a directory on, that others may do something with. */
export function openTo(directory: string): string[] {
  const below = readdirSync(directory, { recursive: true, encoding: 'utf8' }).map((name) =>
    join(directory, name),
  )
  return [directory, ...below].filter(isOpenTo)
}
