import { existsSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import { version } from '../../package.json'
import { restoreBackup } from '../backup/restore.ts'
import { listTables, quoted } from '../backup/tables.ts'
import { LEFT_OUT, takeBackup } from '../backup/take.ts'
import type { StorageLog } from './log.ts'
import { schemaOf } from './migrations.ts'
import { openPglite } from './pglite.ts'
import { type Database, StorageError } from './storage.ts'

/** Where earlier Weirs kept their database, below the data directory, and where it is kept afterwards. */
const OLD = 'postgres'
export const KEPT = 'postgres.carried-over'
/** Longest silence while rows are carried over, in milliseconds. */
const SAY_EVERY_MS = 5_000

/** Whether a data directory has a database of an earlier Weir. */
export function hasOld(dataDir: string): boolean {
  return existsSync(join(dataDir, OLD, 'PG_VERSION'))
}

/** The old one is kept until its owner deletes it. */
export function keepOld(dataDir: string, log: StorageLog): void {
  renameSync(join(dataDir, OLD), join(dataDir, KEPT))
  log.info(
    `The old database is kept in ${join(dataDir, KEPT)}. Delete it once you have seen that nothing is missing.`,
  )
}

/**
 * Fills a new database with all that the old one has, as a backup and its restoration do, and compares how many rows each
 * has. The old one is only read.
 * @throws StorageError when they differ; whatever else goes wrong, the old one is as it was, too
 */
export async function carryOver(dataDir: string, into: Database, log: StorageLog): Promise<void> {
  const old = await openPglite(join(dataDir, OLD)).catch((error) => {
    throw new StorageError(
      `The database of an earlier Weir in ${join(dataDir, OLD)} can't be opened (${error}). Restore a backup of it with ` +
        'weir restore, or move that directory away to start with nothing.',
    )
  })
  try {
    // One that was never used has nothing.
    if ((await schemaOf(old.db)) === 0) return
    const expected = await countRows(old.db)
    log.info(`Carrying over the database in ${join(dataDir, OLD)}: ${expected} rows. Weir starts after that.`)
    const file = takeBackup({ db: old.db, version, now: Date.now, spoolDir: dataDir })
    const { rows } = await restoreBackup(into, file, {
      force: false,
      now: Date.now,
      progress: saying(expected, log),
    })
    if (rows !== expected) {
      throw new StorageError(
        `${rows} of ${expected} rows of ${join(dataDir, OLD)} were carried over. It is left as it was: start Weir again, ` +
          'or use the version before and take a backup.',
      )
    }
    log.info(`All ${rows} rows are carried over. Whoever was signed in signs in again.`)
  } finally {
    await old.close()
  }
}

function saying(expected: number, log: StorageLog): (rows: number) => void {
  let saidAt = performance.now()
  return (rows) => {
    if (performance.now() - saidAt < SAY_EVERY_MS) return
    saidAt = performance.now()
    log.info(`Carried over ${rows} of ${expected} rows.`)
  }
}

/** Of all that a backup has. */
async function countRows(db: Database): Promise<number> {
  let count = 0
  for (const { name } of await listTables(db)) {
    if (LEFT_OUT.has(name)) continue
    const { rows } = (await db.execute(
      sql`SELECT count(*)::int AS count FROM weir.${sql.raw(quoted(name))}`,
    )) as unknown as { rows: { count: number }[] }
    count += rows[0]?.count ?? 0
  }
  return count
}
