import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import { listTables, quoted, type Table } from '../../src/backup/tables.ts'
import { lastMigration, migrate, readMigrations, schemaOf } from '../../src/storage/migrations.ts'
import { openAsItIs } from '../../src/storage/open.ts'
import { listPartitions, makePartitions } from '../../src/storage/partitions.ts'
import type { Database, Storage } from '../../src/storage/storage.ts'
import { isSkipped, type OpenSetup, STORAGE_SETUPS } from '../support/setups.ts'

/** One id for everything: whatever a row names is there. */
const ID = '01900000-0000-7000-8000-000000000001'
/** A value of each type that a column may have. */
const SAMPLES: Record<string, string> = {
  uuid: ID,
  text: 'a "text" with \u{1f600}',
  smallint: '7',
  integer: '7',
  bigint: '9007199254740991',
  'double precision': '0.1',
  boolean: 'true',
  jsonb: '{"exact": 1.50}',
  date: '2026-01-02',
  'timestamp(3) with time zone': '2026-01-02 03:04:05.678+00',
  'text[]': '{a,"b c"}',
  'integer[]': '{1,2}',
  bytea: '\\x0102',
}
const MIGRATIONS = readMigrations()
/** Tables that a migration empties, by its number, because what is in them is made again. */
const MADE_AGAIN: Record<number, readonly string[]> = { 4: ['archives', 'archive_days'] }

for (const setup of STORAGE_SETUPS) {
  describe.skipIf(isSkipped(setup))(`the schema on ${setup.name}`, () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'weir-migrations-'))
    let servers: OpenSetup
    let storage: Storage
    let db: Database

    beforeAll(async () => {
      servers = await setup.open({ emptyDatabase: true })
      storage = await openAsItIs({ databaseUrl: servers.environment.DATABASE_URL, dataDir })
      db = storage.db
    })
    afterAll(async () => {
      await storage.close()
      await servers.close()
      rmSync(dataDir, { recursive: true, force: true })
    })

    test.each(MIGRATIONS.map(({ madeAt }, index) => [index, madeAt] as const))(
      'goes forward from migration %i with every row that it had',
      async (index, madeAt) => {
        await db.execute(sql`DROP SCHEMA IF EXISTS weir CASCADE`)
        await db.execute(sql`DROP SCHEMA IF EXISTS drizzle CASCADE`)
        await migrate(db, madeAt)
        expect(await schemaOf(db)).toBe(madeAt)
        const before = await listTables(db)
        await fill(db, before)
        const rows = await rowsOf(db, before, before)
        for (const [number, tables] of Object.entries(MADE_AGAIN)) {
          if (Number(number) > index) for (const table of tables) if (table in rows) rows[table] = []
        }

        await migrate(db)
        expect(await schemaOf(db)).toBe(MIGRATIONS.at(-1)?.madeAt as number)
        const after = await listTables(db)
        expect(await rowsOf(db, before, after)).toEqual(rows)
        expect(await makePartitions(db, Date.now())).toEqual([])
        expect((await listPartitions(db)).length).toBeGreaterThan(4)
        await migrate(db)
      },
    )
  })
}

/** Puts a row into every table, in whatever order their constraints ask for. */
async function fill(db: Database, tables: readonly Table[]): Promise<void> {
  let left = [...tables]
  while (left.length > 0) {
    const refused: Table[] = []
    for (const table of left) {
      const isIn = await put(db, table).then(
        () => true,
        (error) => error,
      )
      if (isIn === true) continue
      if (refused.push(table) === left.length) throw isIn
    }
    left = refused
  }
}

async function put(db: Database, { name, columns }: Table): Promise<void> {
  const values = columns.map(({ name: column, type }) => {
    const value = SAMPLES[type]
    if (value === undefined) throw new Error(`There is no sample of ${type}, which ${name}.${column} is`)
    return sql`${value}::text::${sql.raw(type)}`
  })
  await db.execute(
    sql`INSERT INTO weir.${sql.raw(quoted(name))} (${sql.raw(columns.map((each) => quoted(each.name)).join(', '))})
    VALUES (${sql.join(values, sql`, `)})`,
  )
}

/** All rows, in those columns that are in both schemas. */
async function rowsOf(db: Database, before: readonly Table[], after: readonly Table[]) {
  const found: Record<string, unknown> = {}
  for (const { name, columns } of before) {
    const then = after.find((table) => table.name === name)
    expect([name, then?.name]).toEqual([name, name])
    const common = columns.filter((each) => then?.columns.some((other) => other.name === each.name))
    expect([name, common]).toEqual([name, columns as Table['columns'][number][]])
    const texts = common.map((each) => `${quoted(each.name)}::text`).join(', ')
    const { rows } = await (db.execute(
      sql.raw(`SELECT ${texts} FROM weir.${quoted(name)}`),
    ) as unknown as Promise<{ rows: unknown[] }>)
    found[name] = rows
  }
  return found
}

test('the last migration is known without reading the files', () => {
  expect(lastMigration()).toBe(MIGRATIONS.at(-1)?.madeAt as number)
})
