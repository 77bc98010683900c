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

/** Where earlier versions stored their database, below the data directory, and its name after it was carried over. */
const OLD = 'postgres'
export const KEPT = 'postgres.carried-over'
/** Time between progress messages, in milliseconds. */
const PROGRESS_MS = 5_000

/** Whether a data directory has a database of an earlier version. */
export function hasOld(dataDir: string): boolean {
  return existsSync(join(dataDir, OLD, 'PG_VERSION'))
}

/** The old database is kept until the operator deletes it. */
export function keepOld(dataDir: string, log: StorageLog): void {
  renameSync(join(dataDir, OLD), join(dataDir, KEPT))
  log.info(
    `The old database is kept in ${join(dataDir, KEPT)}. Delete it once you have checked that nothing is missing.`,
  )
}

/**
 * Copies everything from the old database into a new one, like a backup and its restore, and compares the number of rows. The
 * old one is only read.
 * @throws StorageError when the numbers differ; on any failure, the old database is unchanged
 */
export async function carryOver(dataDir: string, into: Database, log: StorageLog): Promise<void> {
  const old = await openPglite(join(dataDir, OLD)).catch((error) => {
    throw new StorageError(
      `Can't open the database of an earlier version in ${join(dataDir, OLD)} (${error}). Move that directory away, and ` +
        'run "weir restore" with a backup, or start without data.',
    )
  })
  try {
    // It was never used.
    if ((await schemaOf(old.db)) === 0) return
    const expected = await countRows(old.db)
    log.info(
      `Carrying over the database in ${join(dataDir, OLD)} (${expected} rows). Weir starts after that.`,
    )
    const file = takeBackup({ db: old.db, version, now: Date.now, spoolDir: dataDir })
    const { rows } = await restoreBackup(into, file, {
      force: false,
      now: Date.now,
      progress: progress(expected, log),
    })
    if (rows !== expected) {
      throw new StorageError(
        `Only ${rows} of ${expected} rows of ${join(dataDir, OLD)} were carried over. Nothing was changed there: start Weir ` +
          'again, or take a backup with the previous version.',
      )
    }
    log.info(`Carried over all ${rows} rows. Users have to sign in again.`)
  } finally {
    await old.close()
  }
}

function progress(expected: number, log: StorageLog): (rows: number) => void {
  let reportedAt = performance.now()
  return (rows) => {
    if (performance.now() - reportedAt < PROGRESS_MS) return
    reportedAt = performance.now()
    log.info(`Carried over ${rows} of ${expected} rows.`)
  }
}

/** Rows of every table that a backup includes. */
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
