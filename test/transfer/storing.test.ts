import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { entries } from '../../drizzle/schema.ts'
import { Problem } from '../../src/errors.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { Streams } from '../../src/streams/registry/streams.ts'
import { importLines } from '../../src/transfer/import.ts'
import type { LineOutcome } from '../../src/transfer/item.ts'
import { portions } from '../../src/transfer/portions.ts'
import { testBus } from '../support/bus.ts'
import { openStorage } from '../support/data-dir.ts'

const REMOVED = '01a20200-1921-70a6-bb27-dd1b93130b54'
const NEVER_THERE = '01a20200-1921-70a6-bb27-dd1b93130b55'
const CONTROL = { runLater: async () => {} }
const OPTIONS = { dryRun: false, tag: undefined, defaults: { start: false }, headers: {} }

let directory: string
let storage: Storage
let streams: Streams

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'weir-storing-'))
  storage = await openStorage({ databaseUrl: undefined, dataDir: directory })
  const limits = { requestTimeoutMs: 1_000, maxBodyBytes: 1_000 }
  const mayReach = async (url: string) => {
    if (url.includes('private')) throw new Problem('not_allowed', 'A private address.', 'url')
  }
  streams = new Streams({ db: storage.db, control: CONTROL, bus: testBus(), limits, mayReach })
})

afterAll(async () => {
  await storage.close()
  rmSync(directory, { recursive: true, force: true })
})

async function imported(values: object[]): Promise<LineOutcome[]> {
  const lines = values.map((value, index) => ({ line: index + 1, value }))
  return (await Array.fromAsync(importLines({ db: storage.db, streams }, lines, OPTIONS))).flat()
}

test('an ID that the log of a removed stream still uses isn’t reused', async () => {
  const left = { streamId: REMOVED, seq: 1, at: new Date(), epoch: 1, wireBytes: 0, bodyBytes: 0 }
  await storage.db.insert(entries).values({ ...left, kind: 'error' })
  const line = (id: string) => ({ id, url: `http://127.0.0.1/${id}`, kind: 'poll' })
  expect(await imported([line(REMOVED), line(NEVER_THERE)])).toMatchObject([
    { id: REMOVED, outcome: 'failed', problem: { code: 'conflict', field: 'id' } },
    { id: NEVER_THERE, outcome: 'created' },
  ])
  expect((await streams.list({ q: REMOVED, limit: 10 })).items).toEqual([])
})

test('an API that isn’t allowed isn’t imported, even if its kind is set', async () => {
  const [allowed, refused] = await imported([
    { url: 'http://public.test', kind: 'poll' },
    { url: 'http://private.test', kind: 'poll' },
  ])
  expect(allowed?.outcome).toBe('created')
  expect(refused).toMatchObject({ outcome: 'failed', problem: { code: 'not_allowed', field: 'url' } })
  const [changed] = await imported([{ id: allowed?.id, url: 'http://private.test' }])
  expect(changed).toMatchObject({ outcome: 'failed', problem: { code: 'not_allowed' } })
  expect((await streams.list({ q: 'private', limit: 10 })).items).toEqual([])
})

test('streams with large bodies are read a few at a time', async () => {
  const body = 'b'.repeat(262_144)
  const lines = Array.from({ length: 40 }, (_, n) => ({
    url: `http://large.test/${n}`,
    kind: 'poll',
    method: 'POST',
    body,
  }))
  const ids = (await imported(lines)).map(({ id }) => id as string)
  const parts = await portions(storage.db, [NEVER_THERE, ...ids])
  expect(parts.length).toBe(2)
  expect(parts.flat()).toEqual([NEVER_THERE, ...ids])
  const changed = await imported(ids.map((id) => ({ id, name: 'changed' })))
  expect(changed.map(({ outcome }) => outcome)).toEqual(ids.map(() => 'updated'))
  expect((await imported(lines.map((line) => ({ ...line, name: 'changed' })))).map(({ id }) => id)).toEqual(
    ids,
  )
})
