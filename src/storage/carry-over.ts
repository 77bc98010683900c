import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import { version } from '../../package.json'
import { restoreBackup } from '../backup/restore.ts'
import { listTables, quoted } from '../backup/tables.ts'
import { LEFT_OUT, takeBackup } from '../backup/take.ts'
import { causeOf } from '../errors.ts'
import { fullDisk } from './errors/disk-error.ts'
import type { StorageLog } from './log.ts'
import { schemaOf } from './migrations.ts'
import { OLD } from './old-database.ts'
import { openPglite } from './pglite.ts'
import { type Database, StorageError } from './storage.ts'

/** Time between progress messages, in milliseconds. */
const PROGRESS_MS = 5_000

/**
 * Copies everything from the old database into a new one, like a backup and its restore, and compares the number of rows. The
 * old one is only read.
 * @throws StorageError when it fails or the numbers differ; the old database is unchanged then
 */
export async function carryOver(dataDir: string, into: Database, log: StorageLog): Promise<void> {
  const old = await openPglite(join(dataDir, OLD)).catch((error) => {
    throw new StorageError(
      `Can't open the database of an earlier version in ${join(dataDir, OLD)} (${error}). Move that directory away, and ` +
        'run "weir restore" with a backup, or start without data.',
    )
  })
  try {
    // The old database was never used.
    if ((await schemaOf(old.db)) > 0) await copy(old.db, dataDir, into, log)
  } catch (error) {
    throw error instanceof StorageError ? error : (fullDisk(dataDir) ?? failed(dataDir, causeOf(error)))
  } finally {
    await old.close()
  }
}

async function copy(from: Database, dataDir: string, into: Database, log: StorageLog): Promise<void> {
  const expected = await countRows(from)
  log.info(`Carrying over the database in ${join(dataDir, OLD)} (${expected} rows). Weir starts after that.`)
  const file = takeBackup({ db: from, version, now: Date.now, spoolDir: dataDir })
  const { rows } = await restoreBackup(into, file, {
    force: false,
    now: Date.now,
    progress: progress(expected, log),
  })
  if (rows !== expected) throw failed(dataDir, `only ${rows} of ${expected} rows arrived`)
  log.info(`Carried over all ${rows} rows. Users have to sign in again.`)
}

function failed(dataDir: string, why: string): StorageError {
  return new StorageError(
    `Can't carry over the database in ${join(dataDir, OLD)} (${why}). It is unchanged: fix the cause and start Weir again, ` +
      'or take a backup with the previous version.',
  )
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
