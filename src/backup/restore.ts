import { sql } from 'drizzle-orm'
import { BackupError, type BackupHeader, type BackupPart, readBackup } from '../core/backup.ts'
import { migrate, readMigrations, schemaOf } from '../storage/migrations.ts'
import { makeDays } from '../storage/partitions.ts'
import { unbounded } from '../storage/session.ts'
import type { Database } from '../storage/storage.ts'
import { WORKER_ALIVE_MS } from '../streams/status/health.ts'
import { type ForeignKey, listForeignKeys, listTables, quoted, type Table } from './tables.ts'

export interface RestoreOptions {
  /** Whether existing data may be replaced. */
  force: boolean
  now(): number
  /** Called with the number of rows restored so far. */
  progress?(rows: number, header: BackupHeader): void
}

export interface Restored {
  header: BackupHeader
  rows: number
}

/** Tables that a Weir without streams fills by itself: they may be overwritten without --force. */
const OWN: ReadonlySet<string> = new Set(['workers', 'marks'])

/**
 * Restores a backup into a database, in one transaction. The schema is created as it was when the backup was taken,
 * and then migrated, so backups of every earlier Weir can be restored.
 * @throws BackupError if the backup is incomplete or from a later Weir, or if the database isn't empty or is in use
 */
export async function restoreBackup(
  db: Database,
  file: AsyncIterable<Uint8Array>,
  options: RestoreOptions,
): Promise<Restored> {
  const parts = readBackup(file)
  try {
    const { value: first } = await parts.next()
    if (first?.kind !== 'header') throw new BackupError('The file is not a Weir backup.')
    const { header } = first
    checkSchema(header)
    const rows = await db.transaction(async (transaction) => {
      const tx = transaction as unknown as Database
      await unbounded(tx)
      await makeRoom(tx, options)
      await migrate(tx, header.schema)
      await makeDays(tx, header.partitions)
      const keys = await listForeignKeys(tx)
      await dropKeys(tx, keys)
      await switchTriggers(tx, 'DISABLE')
      const count = await fill(tx, parts, (rows) => options.progress?.(rows, header))
      await switchTriggers(tx, 'ENABLE')
      await addKeys(tx, keys)
      await migrate(tx)
      return count
    })
    // Autovacuum would do it later; the first pages need it now.
    await db.transaction(async (tx) => {
      await unbounded(tx)
      await tx.execute(sql`ANALYZE`)
    })
    return { header, rows }
  } finally {
    await parts.return(undefined)
  }
}

function checkSchema({ schema, weir }: BackupHeader): void {
  if (readMigrations().some(({ madeAt }) => madeAt === schema)) return
  throw new BackupError(
    `The backup was created by Weir ${weir}, whose schema this version doesn't support. Restore it with that version.`,
  )
}

async function makeRoom(tx: Database, { force, now }: RestoreOptions): Promise<void> {
  if ((await schemaOf(tx)) === 0) return
  const tables = await listTables(tx)
  if (tables.some(({ name }) => name === 'workers')) await checkUnused(tx, now())
  if (!force) {
    for (const { name } of tables) {
      if (OWN.has(name) || !(await hasRows(tx, name))) continue
      throw new BackupError(`The database isn't empty: ${name} has rows. Use --force to replace all data.`)
    }
  }
  await tx.execute(sql`DROP SCHEMA IF EXISTS weir CASCADE`)
  await tx.execute(sql`DELETE FROM drizzle.__drizzle_migrations`)
}

async function checkUnused(tx: Database, nowMs: number): Promise<void> {
  const alive = new Date(nowMs - WORKER_ALIVE_MS).toISOString()
  const { rows } = (await tx.execute(
    sql`SELECT name FROM weir.workers WHERE seen_at > ${alive}::timestamptz LIMIT 1`,
  )) as unknown as { rows: { name: string }[] }
  if (rows[0] === undefined) return
  throw new BackupError(
    `${rows[0].name} is using this database. Stop every Weir on it first; a killed one counts as running for ` +
      `${WORKER_ALIVE_MS / 1_000} s.`,
  )
}

async function hasRows(tx: Database, table: string): Promise<boolean> {
  const { rows } = (await tx.execute(
    sql`SELECT EXISTS (SELECT FROM weir.${sql.raw(quoted(table))}) AS "hasRows"`,
  )) as unknown as { rows: { hasRows: boolean }[] }
  return rows[0]?.hasRows === true
}

async function fill(
  tx: Database,
  parts: AsyncGenerator<BackupPart>,
  progress: (rows: number) => void,
): Promise<number> {
  const tables = new Map((await listTables(tx)).map((table) => [table.name, table]))
  let insert: ((rows: readonly string[]) => Promise<unknown>) | undefined
  let count = 0
  for await (const part of parts) {
    if (part.kind === 'table') {
      const table = tables.get(part.table)
      if (table === undefined)
        throw new BackupError(`The backup has a table that isn't in its schema: ${part.table}.`)
      insert = inserter(tx, table, part.columns)
    }
    if (part.kind !== 'rows') continue
    if (insert === undefined) throw new BackupError('The backup is damaged: it has rows without a table.')
    await insert(part.rows)
    count += part.rows.length
    progress(count)
  }
  return count
}

function inserter(tx: Database, { name, columns }: Table, given: readonly string[]) {
  const values = given.map((column, index) => {
    const type = columns.find((each) => each.name === column)?.type
    if (type === undefined)
      throw new BackupError(`${name} has no column ${column} in the backup's own schema.`)
    return `(row->>${index})::${type}`
  })
  const into = sql.raw(`weir.${quoted(name)} (${given.map(quoted).join(', ')})`)
  const selected = sql.raw(values.join(', '))
  return (rows: readonly string[]) =>
    tx.execute(
      sql`INSERT INTO ${into} SELECT ${selected} FROM json_array_elements(${`[${rows.join(',')}]`}::json) AS one (row)`,
    )
}

/** The backup already contains what they would add up. */
async function switchTriggers(tx: Database, to: 'DISABLE' | 'ENABLE'): Promise<void> {
  for (const { name } of await listTables(tx)) {
    await tx.execute(sql.raw(`ALTER TABLE weir.${quoted(name)} ${to} TRIGGER USER`))
  }
}

/** Rows may refer to later ones; all are checked at once when the constraints are restored. */
async function dropKeys(tx: Database, keys: readonly ForeignKey[]): Promise<void> {
  for (const { table, name } of keys) {
    await tx.execute(sql.raw(`ALTER TABLE weir.${quoted(table)} DROP CONSTRAINT ${quoted(name)}`))
  }
}

async function addKeys(tx: Database, keys: readonly ForeignKey[]): Promise<void> {
  for (const { table, name, definition } of keys) {
    await tx.execute(
      sql.raw(`ALTER TABLE weir.${quoted(table)} ADD CONSTRAINT ${quoted(name)} ${definition}`),
    )
  }
}
