import { afterEach, beforeEach, expect, test } from 'bun:test'
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import { isDamage } from '../../src/storage/errors/damage.ts'
import { openAsItIs } from '../../src/storage/open.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { newDataDir } from '../support/data-dir.ts'
import { until } from '../support/until.ts'

let dataDir: string
let database: string
let storage: Storage | undefined
beforeEach(async () => {
  dataDir = await newDataDir('weir-damage-')
  database = join(dataDir, 'database')
})
afterEach(async () => {
  await storage?.close()
  storage = undefined
  rmSync(dataDir, { recursive: true, force: true })
})

async function open(): Promise<Storage> {
  storage = await openAsItIs({ databaseUrl: undefined, dataDir })
  return storage
}

async function close(): Promise<void> {
  await storage?.close()
  storage = undefined
}

const refusal = () =>
  open().then(
    () => 'opened',
    (error: Error) => `${error.constructor.name}: ${error.message}`,
  )

/** Inverts a byte of a file. */
function flip(path: string, at: number): void {
  const file = openSync(path, 'r+')
  const byte = Buffer.alloc(1)
  readSync(file, byte, 0, 1, at)
  byte[0] = (byte[0] as number) ^ 0xff
  writeSync(file, byte, 0, 1, at)
  closeSync(file)
}

async function fill({ db }: Storage): Promise<string> {
  await db.execute(sql`CREATE TABLE weir.kept AS SELECT number FROM generate_series(1, 2000) AS number`)
  await db.execute(sql`CHECKPOINT`).catch(() => {})
  const { rows } = (await db.execute(sql`SELECT pg_relation_filepath('weir.kept') AS path`)) as unknown as {
    rows: { path: string }[]
  }
  return join(database, (rows[0] as { path: string }).path)
}

test('every page has a checksum', async () => {
  const { db } = await open()
  const { rows } = (await db.execute(sql`SHOW data_checksums`)) as unknown as { rows: unknown[] }
  expect(rows).toEqual([{ data_checksums: 'on' }])
})

test('a flipped byte in a table is an error that names the table, told once', async () => {
  const path = await fill(await open())
  await close()
  flip(path, 4_000)
  const { db, damage } = await open()
  const told: string[] = []
  damage.reportTo(({ what }) => void told.push(what))
  for (let time = 0; time < 2; time++) {
    const failed = await db.execute(sql`SELECT count(*) FROM weir.kept`).then(
      () => undefined,
      (error) => error,
    )
    expect(isDamage(failed)).toBe(true)
  }
  await until('it is told', () => told.length > 0)
  expect(told).toEqual([
    expect.stringMatching(/^invalid page in block 0 of relation .*, which is weir\.kept$/),
  ])
  expect(damage.found).toHaveLength(1)
})

test('a missing file of a table is one too', async () => {
  const path = await fill(await open())
  await close()
  rmSync(path)
  const { db, damage } = await open()
  const reading = db.execute(sql`SELECT count(*) FROM weir.kept`).then(
    () => 'read',
    (error) => isDamage(error),
  )
  expect(await reading).toBe(true)
  await until('it is told', () => damage.found.length > 0)
  expect(damage.found[0]?.what).toContain('No such file')
})

test.each([
  ['global/pg_control', (path: string) => flip(path, 20)],
  ['global/pg_control', (path: string) => rmSync(path)],
  ['global/pg_filenode.map', (path: string) => flip(path, 100)],
  ['PG_VERSION', (path: string) => rmSync(path)],
] as const)('damage to %s is named, with the way back', async (name, damage) => {
  damage(join(database, name))
  expect(await refusal()).toMatch(
    /^StorageError: The embedded Postgres can't start: the database in \S+database is damaged \([^\n]+\)\. Move that directory away and restore a backup with "weir restore FILE", or start without data\.$/,
  )
})

test('a missing write-ahead log is named', async () => {
  for (const name of readdirSync(join(database, 'pg_wal')))
    rmSync(join(database, 'pg_wal', name), { recursive: true })
  expect(await refusal()).toMatch(
    /^StorageError: .*the database in \S+ is damaged \(.*\)\. .*weir restore FILE/,
  )
})

/** Has a server killed that has more in its log than in its tables. @returns where the log ends: file and offset */
async function crash(): Promise<{ path: string; offset: number }> {
  const { db } = await open()
  await db.execute(sql`CREATE TABLE weir.kept AS SELECT number FROM generate_series(1, 2000) AS number`)
  const { rows } = (await db.execute(
    sql`SELECT (pg_walfile_name_offset(pg_current_wal_insert_lsn())).*`,
  )) as unknown as {
    rows: { file_name: string; file_offset: number }[]
  }
  const { file_name, file_offset } = rows[0] as (typeof rows)[0]
  const position = join(database, 'weir.position')
  const before = existsSync(position) ? readFileSync(position, 'utf8') : ''
  await until(
    'its position is kept',
    () => statSync(position).size > 0 && readFileSync(position, 'utf8') !== before,
  )
  const pid = Number(readFileSync(join(database, 'postmaster.pid'), 'utf8').split('\n')[0])
  process.kill(pid, 'SIGSTOP')
  const copy = `${dataDir}-crashed`
  await Bun.spawn(['cp', '-a', dataDir, copy]).exited
  process.kill(pid, 'SIGCONT')
  await close()
  rmSync(dataDir, { recursive: true, force: true })
  dataDir = copy
  database = join(dataDir, 'database')
  return { path: join(database, 'pg_wal', file_name), offset: file_offset }
}

test.each([
  ['flipped', ({ path, offset }: { path: string; offset: number }) => flip(path, offset - 20_000)],
  ['cut off', ({ path, offset }: { path: string; offset: number }) => truncateSync(path, offset - 20_000)],
] as const)('a write-ahead log that is %s before its end loses nothing in silence', async (_, damage) => {
  damage(await crash())
  for (let time = 0; time < 2; time++) {
    expect(await refusal()).toMatch(
      /^StorageError: .*he database in \S+ (has lost its last changes before \d{4}-.*weir\.position to continue with what is left\.|is damaged \(.*\).*weir restore FILE.*)$/,
    )
  }
})

test('whoever accepts the loss goes on with what is left', async () => {
  const { path, offset } = await crash()
  flip(path, offset - 20_000)
  expect(await refusal()).toContain('has lost its last changes')
  rmSync(join(database, 'weir.position'))
  expect(await refusal()).toBe('opened')
})

test('a crash alone is no damage', async () => {
  await crash()
  const { db } = await open()
  const { rows } = (await db.execute(sql`SELECT count(*)::int AS count FROM weir.kept`)) as unknown as {
    rows: unknown[]
  }
  expect(rows).toEqual([{ count: 2_000 }])
})
