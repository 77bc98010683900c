import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import { takeBackup } from '../../src/backup/take.ts'
import { readBackup } from '../../src/core/backup.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { openStorage } from '../support/data-dir.ts'

const ID = '01900000-0000-7000-8000-000000000001'
/** Several pages of a read. */
const ENTRIES = 5_000

const directory = mkdtempSync(join(tmpdir(), 'weir-backup-'))
let storage: Storage

beforeAll(async () => {
  storage = await openStorage({ databaseUrl: undefined, dataDir: directory })
  const { db } = storage
  await db.execute(sql`
    INSERT INTO weir.streams (id, name, kind, url, method, headers, interval_ms, payload_pointer, ignore_paths, array_keys,
      tags, notify, desired, created_at, updated_at)
    VALUES (${ID}, 'one', 'sse', 'http://localhost', 'GET', '{}', 0, '', '{}', '{}', '{}', '{}', 'running', now(), now())`)
  await db.execute(sql`INSERT INTO weir.checkpoints (stream_id, epoch, seq) VALUES (${ID}, 1, ${ENTRIES})`)
  await db.execute(sql`
    INSERT INTO weir.entries (stream_id, seq, at, epoch, kind, wire_bytes, body_bytes, data)
    SELECT ${ID}::uuid, seq, now(), 1, 'event', 1, 1, repeat('x', 1000) FROM generate_series(1, ${ENTRIES}) AS seq`)
})
afterAll(async () => {
  await storage.close()
  rmSync(directory, { recursive: true, force: true })
})

const take = () =>
  takeBackup({ db: storage.db, version: '0.0.0', now: Date.now, spoolDir: join(directory, 'spool') })

async function rowsIn(backup: AsyncIterable<Uint8Array>): Promise<number> {
  let rows = 0
  for await (const part of readBackup(backup)) if (part.kind === 'rows') rows += part.rows.length
  return rows
}

test('entries after the instant are not included', async () => {
  const backup = take()
  const first = await backup.next()
  const next = ENTRIES + 1
  await storage.db.execute(sql`
    INSERT INTO weir.entries (stream_id, seq, at, epoch, kind, wire_bytes, body_bytes)
    VALUES (${ID}, ${next}, now(), 1, 'event', 1, 1)`)
  // The stream and its checkpoint, and the entries as of then.
  expect(await rowsIn(all(first.value as Uint8Array, backup))).toBe(ENTRIES + 2)
  await storage.db.execute(sql`DELETE FROM weir.entries WHERE seq = ${next}`)
})

test('a reader that stops leaves no files and no locks behind', async () => {
  const backup = take()
  await backup.next()
  await backup.return(undefined)
  expect(readdirSync(join(directory, 'spool'))).toEqual([])
  expect(await rowsIn(take())).toBe(ENTRIES + 2)
})

test('a log that loses entries while it is read makes the backup fail with a message', async () => {
  const backup = take()
  const first = await backup.next()
  await storage.db.execute(sql`DELETE FROM weir.entries WHERE seq <= 10`)
  await expect(rowsIn(all(first.value as Uint8Array, backup))).rejects.toThrow(
    /lost 10 of its oldest entries/,
  )
})

async function* all(first: Uint8Array, rest: AsyncIterable<Uint8Array>) {
  yield first
  yield* rest
}
