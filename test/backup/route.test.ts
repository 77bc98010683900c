import { afterAll, beforeAll, expect, test } from 'bun:test'
import { rmSync } from 'node:fs'
import { workers } from '../../drizzle/schema.ts'
import { restoreBackup } from '../../src/backup/restore.ts'
import { LEFT_OUT, takeBackup } from '../../src/backup/take.ts'
import { Problem } from '../../src/errors.ts'
import { backupRoutes } from '../../src/routes/storage/backup.ts'
import { openStorage } from '../../src/storage/open.ts'
import type { Database, Storage } from '../../src/storage/storage.ts'
import { newDataDir } from '../support/data-dir.ts'

let directory: string
let storage: Storage
/** How the database fails: when a backup begins, or when it reads the log. */
let fails: 'begin' | 'log' | undefined
const transactions: unknown[] = []

beforeAll(async () => {
  directory = await newDataDir('weir-backup-')
  storage = await openStorage({ databaseUrl: undefined, dataDir: directory })
})
afterAll(async () => {
  await storage.close()
  rmSync(directory, { recursive: true, force: true })
})

function app() {
  const db = new Proxy(storage.db, {
    get(target, name) {
      if (name === 'execute' && fails === 'log') return () => Promise.reject(new Error('away'))
      if (name === 'transaction') {
        return (work: never, how: unknown) => {
          transactions.push(how)
          return fails === 'begin'
            ? Promise.reject(new Error('away'))
            : target.transaction(work, how as never)
        }
      }
      const value = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  }) as Database
  const config = { databaseUrl: undefined, dataDir: directory }
  return backupRoutes({ ...{ db, config, version: '0.0.0', now: Date.now, warn() {} } } as never).onError(
    ({ error }) => (error instanceof Problem ? error.toResponse() : new Response('', { status: 500 })),
  )
}

test('one backup at a time; after a failure, a cancellation and a broken one, the next can be made', async () => {
  const own = app()
  const ask = async () => own.handle(new Request('http://weir.test/api/backup', { method: 'POST' }))
  fails = 'begin'
  expect((await ask()).status).toBe(500)
  fails = undefined
  const first = await ask()
  expect(first.status).toBe(200)
  expect((await ask()).status).toBe(429)
  await first.body?.cancel()
  const second = await ask()
  expect(second.status).toBe(200)
  fails = 'log'
  await expect(second.bytes()).rejects.toThrow()
  fails = undefined
  const third = await ask()
  expect(third.status).toBe(200)
  expect((await third.bytes()).length).toBeGreaterThan(100)
  const last = await ask()
  expect(last.status).toBe(200)
  await last.body?.cancel()
})

test('a backup is of one instant, and has no sessions', () => {
  expect(transactions.at(-1)).toEqual({ isolationLevel: 'repeatable read', accessMode: 'read only' })
  expect([...LEFT_OUT].sort()).toEqual(['sessions', 'workers'])
})

test('a database that a Weir uses isn’t restored, even with force', async () => {
  const { db } = storage
  const spoolDir = directory
  const file = takeBackup({ db, version: '0.0.0', now: Date.now, spoolDir })
  const seenAt = new Date()
  await db.insert(workers).values({ name: 'alive', startedAt: seenAt, seenAt, streams: 1 })
  const restoring = restoreBackup(db, file, { force: true, now: () => seenAt.getTime() + 6_999 })
  await expect(restoring).rejects.toThrow('alive is using this database')
  expect(await db.$count(workers)).toBe(1)
})
