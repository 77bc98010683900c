import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { incidents } from '../../drizzle/schema.ts'
import { troubled } from '../../src/incidents/evaluation/standing.ts'
import { getIncident, listIncidents, openIncidents } from '../../src/incidents/read.ts'
import type { Database, Storage } from '../../src/storage/storage.ts'
import type { Stream } from '../../src/streams/ingest/run.ts'
import { insertStreams, newStream } from '../../src/streams/registry/new-stream.ts'
import { openStorage } from '../support/data-dir.ts'

const NOW = Date.now()
let directory: string
let storage: Storage
let db: Database
let shared: Stream
let mine: Stream

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'weir-test-'))
  storage = await openStorage({ databaseUrl: undefined, dataDir: directory })
  db = storage.db
  const kept = { kind: 'poll', alwaysOn: true, owner: 'key:1' } as const
  shared = newStream({ ...kept, url: 'http://shared.test/', proxyKey: 'shared' })
  mine = newStream({ ...kept, url: 'http://mine.test/', proxyKey: 'mine', headers: { authorization: 'x' } })
  await insertStreams(db, [shared, mine])
})

afterAll(async () => {
  await storage.close()
  rmSync(directory, { recursive: true, force: true })
})

test('a private stream opens no incident, even if always on', async () => {
  // No worker holds either of them.
  expect(await troubled(db, NOW)).toEqual([{ id: shared.id, host: 'shared.test', isHeld: false }])
})

test('an incident of a private stream from an earlier version is hidden', async () => {
  const opened = (stream: Stream) => ({
    id: Bun.randomUUIDv7(),
    ...{ key: stream.id, cause: 'dead', title: `Down: ${stream.name}`, detail: '', streamId: stream.id },
    openedAt: new Date(NOW),
  })
  const [known, hidden] = [opened(shared), opened(mine)]
  await db.insert(incidents).values([known, hidden] as (typeof incidents.$inferInsert)[])
  expect((await listIncidents(db, { limit: 10 })).items.map(({ id }) => id)).toEqual([known.id])
  expect((await listIncidents(db, { stream: mine.id, limit: 10 })).items).toEqual([])
  expect(await openIncidents(db)).toBe(1)
  expect((await getIncident(db, known.id)).title).toContain('shared.test')
  await expect(getIncident(db, hidden.id)).rejects.toMatchObject({ code: 'not_found' })
})
