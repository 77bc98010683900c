import { afterAll, afterEach, beforeAll, beforeEach, expect, setDefaultTimeout, test } from 'bun:test'
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PGlite } from '@electric-sql/pglite'
import { sql } from 'drizzle-orm'
import { migrate, readMigrations, schemaOf } from '../../src/storage/migrations.ts'
import { openStorage } from '../../src/storage/open.ts'
import { makePartitions } from '../../src/storage/partitions.ts'
import { openPglite } from '../../src/storage/pglite.ts'
import type { Database } from '../../src/storage/storage.ts'
import { inMounts, onSmallDisk } from '../support/mounts.ts'

const ID = '01900000-0000-7000-8000-000000000001'
const MIGRATIONS = readMigrations().map(({ madeAt }) => madeAt)

/** Opens a directory as a process of its own, and says how that goes. */
const OPENER = `
  const { openStorage } = await import(${JSON.stringify(join(import.meta.dir, '../../src/storage/open.ts'))})
  const log = { info: console.log, warn: console.log }
  await openStorage({ databaseUrl: undefined, dataDir: process.argv[1] }, log).then(
    (storage) => storage.close(),
    (error) => console.log('failed ' + error.constructor.name + ': ' + error.message),
  )`

/** Under load, each opening of the old database takes seconds; some tests open it four times. */
const TEST_MS = 240_000

setDefaultTimeout(TEST_MS)

/** A database by PGlite with nothing in it: making one takes longest. */
const empty = mkdtempSync(join(tmpdir(), 'weir-pglite-'))
let dataDir: string
let said: string[]
beforeAll(async () => (await PGlite.create(join(empty, 'postgres'))).close(), TEST_MS)
afterAll(() => rmSync(empty, { recursive: true, force: true }))
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'weir-carry-over-'))
  said = []
})
afterEach(() => rmSync(dataDir, { recursive: true, force: true }))

const log = {
  info: (message: string) => void said.push(message),
  warn: (message: string) => void said.push(message),
}
const open = () => openStorage({ databaseUrl: undefined, dataDir }, log)

/** A directory as an earlier Weir left it. */
async function leaveOld(fill: (db: Database) => Promise<void>): Promise<void> {
  writeFileSync(join(dataDir, 'lock.sqlite'), '')
  cpSync(join(empty, 'postgres'), join(dataDir, 'postgres'), { recursive: true })
  const old = await openPglite(join(dataDir, 'postgres'))
  try {
    await fill(old.db)
  } finally {
    await old.close()
  }
}

async function addStream(db: Database, entries: number): Promise<void> {
  await makePartitions(db, Date.now())
  await db.execute(sql`INSERT INTO weir.streams (id, name, url, kind, method, headers, interval_ms, payload_pointer,
      ignore_paths, array_keys, tags, notify, desired, created_at, updated_at)
    VALUES (${ID}, 'old', 'http://old.example/', 'sse', 'GET', '{}', 0, '', '{}', '{}', '{}', '{}', 'stopped', now(), now())`)
  await db.execute(sql`INSERT INTO weir.entries (stream_id, seq, at, epoch, kind, data, wire_bytes, body_bytes)
    SELECT ${ID}::uuid, n, now(), 1, 'event', repeat('é', n), n, n FROM generate_series(1, ${entries}::int) AS n`)
  await db.execute(sql`INSERT INTO weir.checkpoints (stream_id, epoch, seq) VALUES (${ID}, 1, ${entries})`)
}

const digest = async (db: Database) =>
  (await db.execute(sql`SELECT count(*)::int AS count, md5(string_agg(seq || data, ',' ORDER BY seq)) AS sum
    FROM weir.entries`)) as unknown as { rows: unknown[] }

test.each([
  ['of this Weir', MIGRATIONS.at(-1)],
  ['of an earlier one', MIGRATIONS.at(-2)],
])('a database %s by PGlite is carried over at the first start, and kept', async (_, madeAt) => {
  let before: unknown[] = []
  await leaveOld(async (db) => {
    await migrate(db, madeAt as number)
    await addStream(db, 500)
    before = (await digest(db)).rows
  })
  const first = await open()
  expect((await digest(first.db)).rows).toEqual(before)
  expect(await schemaOf(first.db)).toBe(MIGRATIONS.at(-1) as number)
  await first.db.execute(sql`UPDATE weir.streams SET name = 'new'`)
  await first.close()
  expect(readdirSync(dataDir).sort()).toEqual([
    'database',
    'lock.sqlite',
    'postgres.carried-over',
    'postgres.password',
  ])
  expect(said.join('\n')).toMatch(
    /Carrying over .*\n(Carried over .*\n)*Carried over all \d+ rows.*\n.*postgres\.carried-over/,
  )
  said = []
  const second = await open()
  const { rows } = (await second.db.execute(sql`SELECT name FROM weir.streams`)) as unknown as {
    rows: unknown[]
  }
  await second.close()
  expect([rows, said]).toEqual([[{ name: 'new' }], []])
  const old = await openPglite(join(dataDir, 'postgres.carried-over'))
  const kept = await digest(old.db)
  await old.close()
  expect(kept.rows).toEqual(before)
})

test('one that was never used is kept, and there is nothing to carry over', async () => {
  await leaveOld(async () => {})
  const storage = await open()
  expect(await schemaOf(storage.db)).toBe(MIGRATIONS.at(-1) as number)
  await storage.close()
  expect(existsSync(join(dataDir, 'postgres.carried-over/PG_VERSION'))).toBe(true)
})

test('one that an earlier Weir was started with again is said not to be used', async () => {
  await leaveOld(async () => {})
  await (await open()).close()
  cpSync(join(empty, 'postgres'), join(dataDir, 'postgres'), { recursive: true })
  said = []
  await (await open()).close()
  expect(said).toEqual([
    expect.stringContaining(`${join(dataDir, 'postgres')} holds a database of an earlier`),
  ])
  rmSync(join(dataDir, 'database'), { recursive: true })
  await (await open()).close()
  expect(readdirSync(dataDir).filter((name) => name.startsWith('postgres.carried-over'))).toHaveLength(2)
})

test('a Weir that is killed meanwhile leaves the old one as it was, and the next start carries it over', async () => {
  let before: unknown[] = []
  await leaveOld(async (db) => {
    await migrate(db)
    await addStream(db, 2_000)
    before = (await digest(db)).rows
  })
  const killed = Bun.spawn(['bun', '-e', OPENER, dataDir], { stdout: 'pipe', stderr: 'inherit' })
  for await (const _ of killed.stdout) break
  killed.kill('SIGKILL')
  await killed.exited
  expect([existsSync(join(dataDir, 'postgres/PG_VERSION')), existsSync(join(dataDir, 'database'))]).toEqual([
    true,
    false,
  ])
  const storage = await open()
  expect((await digest(storage.db)).rows).toEqual(before)
  await storage.close()
  expect(existsSync(join(dataDir, 'database.part'))).toBe(false)
})

inMounts('a disk that is full meanwhile is named, and the old one is as it was', async () => {
  let before: unknown[] = []
  await leaveOld(async (db) => {
    await migrate(db)
    await addStream(db, 20)
    await db.execute(sql`UPDATE weir.entries SET data = (SELECT string_agg(md5(random()::text), '')
      FROM generate_series(1, 50000))`)
    before = (await digest(db)).rows
  })
  const out = await onSmallDisk(dataDir, 60, OPENER)
  expect(out).toContain('Carrying over')
  expect(out).toMatch(/^failed StorageError: The disk of .* is full\./m)
  const old = await openPglite(join(dataDir, 'postgres'))
  const kept = await digest(old.db)
  await old.close()
  expect(kept.rows).toEqual(before)
})

test('what fails half way leaves the old one as it was, and the next start carries it over', async () => {
  await leaveOld(async (db) => {
    await migrate(db)
    await addStream(db, 10)
    // More than the checkpoint says, in a log with a hole: no backup has that.
    await db.execute(sql`DELETE FROM weir.entries WHERE seq = 5`)
  })
  await expect(open()).rejects.toThrow()
  expect(existsSync(join(dataDir, 'postgres/PG_VERSION'))).toBe(true)
  expect(existsSync(join(dataDir, 'database'))).toBe(false)
  const old = await openPglite(join(dataDir, 'postgres'))
  await old.db.execute(sql`DELETE FROM weir.entries WHERE seq < 5`)
  await old.close()
  const storage = await open()
  expect((await digest(storage.db)).rows).toMatchObject([{ count: 5 }])
  await storage.close()
})
