import { existsSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import type { StorageLog } from './log.ts'

/** Where earlier versions stored their database, below the data directory, and its name after it was carried over. */
export const OLD = 'postgres'
const KEPT = 'postgres.carried-over'

/** Whether a data directory has a database of an earlier version. */
export function hasOld(dataDir: string): boolean {
  return existsSync(join(dataDir, OLD, 'PG_VERSION'))
}

/** Sets the old database aside. It is kept until the operator deletes it. */
export function keepOld(dataDir: string, log: StorageLog): void {
  const first = join(dataDir, KEPT)
  const kept = existsSync(first) ? `${first}.${Date.now()}` : first
  renameSync(join(dataDir, OLD), kept)
  log.info(`The old database is kept in ${kept}. Delete it once you have checked that nothing is missing.`)
}

/** An earlier version that was started again has stored what this one doesn't see. */
export function warnOfUnused(dataDir: string, log: StorageLog): void {
  if (!hasOld(dataDir)) return
  log.warn(
    `${join(dataDir, OLD)} holds a database of an earlier version, which isn't used, because ${join(dataDir, 'database')} ` +
      'exists. If an earlier version has run since, its data is only there; otherwise delete it.',
  )
}
