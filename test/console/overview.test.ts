import { afterAll, beforeAll, expect, test } from 'bun:test'
import { rmSync } from 'node:fs'
import { entries, rollups } from '../../drizzle/schema.ts'
import { admit } from '../../src/auth/caller.ts'
import type { Scope } from '../../src/core/sets/scopes.ts'
import { Hub } from '../../src/hub/hub.ts'
import { LivePages } from '../../src/routes/live/live-pages.tsx'
import { homeRoutes } from '../../src/routes/operation/home.tsx'
import { openStorage } from '../../src/storage/open.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { insertStreams, newStream } from '../../src/streams/registry/new-stream.ts'
import { readPast } from '../../src/streams/status/overview.ts'
import { newDataDir } from '../support/data-dir.ts'

let directory: string
let storage: Storage

beforeAll(async () => {
  directory = await newDataDir('weir-overview-')
  storage = await openStorage({ databaseUrl: undefined, dataDir: directory })
})
afterAll(async () => {
  await storage.close()
  rmSync(directory, { recursive: true, force: true })
})

test('the first page counts private streams for admins alone, when it is loaded and while it is open', async () => {
  const hidden = { proxyKey: 'k', headers: { 'x-key': 'mine' } }
  const stream = { url: 'http://a.test/', kind: 'poll', createdAt: new Date() }
  await insertStreams(storage.db, [newStream(stream as never), newStream({ ...stream, ...hidden } as never)])
  const warn = (message: string) => {
    throw new Error(message)
  }
  const hub = new Hub()
  const { db } = storage
  const pages = new LivePages({
    ...{ db, hub, now: Date.now, limits: {}, heldRun: () => undefined, warn },
  } as never)
  const app = homeRoutes({ db, now: Date.now, pages })
  const asked = (path: string, scope: Scope) => {
    const request = new Request(`http://weir.test${path}`)
    admit(request, { caller: { id: 'key:a', name: 'A', scope }, how: 'secret' })
    return app.handle(request)
  }
  const counted = (text: string) => /(\d+) streams?</.exec(text)?.[1]
  const live = async (scope: Scope) => {
    const decoder = new TextDecoder()
    let text = ''
    for await (const chunk of (await asked('/home/live', scope))
      .body as unknown as AsyncIterable<Uint8Array>) {
      text += decoder.decode(chunk)
      if (counted(text) !== undefined) return counted(text)
    }
  }
  const scopes = ['admin', 'operate', 'read'] as const
  expect(
    await Promise.all(scopes.map(async (scope) => counted(await (await asked('/', scope)).text()))),
  ).toEqual(['2', '1', '1'])
  expect(await Promise.all(scopes.map(live))).toEqual(['2', '1', '1'])
  pages.close()
  hub.close()
})

test('a stream changed when its entry says so, not when its minute began', async () => {
  const { db } = storage
  const stream = newStream({ url: 'http://b.test/', kind: 'poll', createdAt: new Date() } as never)
  await insertStreams(db, [stream])
  const minute = new Date(Math.floor(Date.now() / 60_000) * 60_000 - 60_000)
  const at = new Date(minute.getTime() + 41_000)
  const shared = { streamId: stream.id, wireBytes: 1, bodyBytes: 1 }
  await db.insert(rollups).values({ ...shared, minute, firstSeq: 1, lastSeq: 2, entries: 2, changed: 1 })
  await db.insert(entries).values([
    { ...shared, seq: 1, at, epoch: 0, kind: 'snapshot', changed: true },
    { ...shared, seq: 2, at: new Date(at.getTime() + 1_000), epoch: 0, kind: 'exchange', changed: false },
  ])
  const { changed } = await readPast(db, Date.now(), 'all')
  expect(changed).toEqual([{ id: stream.id, name: stream.name, changes: 1, lastAt: at }])
})
