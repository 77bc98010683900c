import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import { readMigrationFiles } from 'drizzle-orm/migrator'
import { ROOT } from '../files.ts'
import { LOCKS } from './locks.ts'
import { unbounded } from './session.ts'
import type { Database } from './storage.ts'

const FOLDER = join(ROOT, 'drizzle/migrations')

/** The latest migration, by its `madeAt`. */
export function lastMigration(): number {
  const journal = readFileSync(join(FOLDER, 'meta/_journal.json'), 'utf8')
  return (JSON.parse(journal) as { entries: { when: number }[] }).entries.at(-1)?.when ?? 0
}

/** A step of the schema. A database records applied ones by their creation time. */
export interface Migration {
  /** When it was created, in milliseconds since the epoch: its order and identity. */
  madeAt: number
  statements: string[]
  /** SHA-256 of its text, in hex. */
  hash: string
}

/** Every migration, oldest first. */
export function readMigrations(): Migration[] {
  return readMigrationFiles({ migrationsFolder: FOLDER }).map(({ folderMillis, sql, hash }) => ({
    madeAt: folderMillis,
    statements: sql,
    hash,
  }))
}

/** The last migration applied to a database; 0 before the first. */
export async function schemaOf(db: Database): Promise<number> {
  const { rows: there } = (await db.execute(
    sql`SELECT to_regclass('drizzle.__drizzle_migrations') IS NOT NULL AS "isThere"`,
  )) as { rows: { isThere: boolean }[] }
  if (!there[0]?.isThere) return 0
  const { rows } = (await db.execute(
    sql`SELECT coalesce(max(created_at), 0)::float8 AS last FROM drizzle.__drizzle_migrations`,
  )) as { rows: { last: number }[] }
  return rows[0]?.last ?? 0
}

/**
 * Applies missing migrations in one transaction, all or nothing. The record is kept where and how Drizzle keeps it, so
 * drizzle-kit's own tools still work.
 * @param upTo the last one to apply, by its `madeAt`
 */
export async function migrate(db: Database, upTo = Number.POSITIVE_INFINITY): Promise<void> {
  // Nearly always there is nothing to do.
  if ((await schemaOf(db)) >= Math.min(upTo, lastMigration())) return
  await db.transaction(async (tx) => {
    await unbounded(tx)
    await tx.execute(sql`SELECT pg_advisory_xact_lock(${LOCKS.migration})`)
    await tx.execute(sql`CREATE SCHEMA IF NOT EXISTS drizzle`)
    await tx.execute(sql`CREATE TABLE IF NOT EXISTS drizzle.__drizzle_migrations
      (id SERIAL PRIMARY KEY, hash text NOT NULL, created_at bigint)`)
    const last = await schemaOf(tx as unknown as Database)
    for (const { madeAt, statements, hash } of readMigrations()) {
      if (madeAt <= last || madeAt > upTo) continue
      for (const statement of statements) await tx.execute(sql.raw(statement))
      await tx.execute(
        sql`INSERT INTO drizzle.__drizzle_migrations (hash, created_at) VALUES (${hash}, ${madeAt})`,
      )
    }
  })
}
