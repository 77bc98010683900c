import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkpoints } from '../../drizzle/schema.ts'
import { Hub } from '../../src/hub/hub.ts'
import { LivePages } from '../../src/routes/live/live-pages.tsx'
import { refreshPages } from '../../src/routes/live/refresh.ts'
import type { Storage } from '../../src/storage/storage.ts'
import type { Entry } from '../../src/streams/recording/entry.ts'
import { Streams } from '../../src/streams/registry/streams.ts'
import { streamPageTopic } from '../../src/topics.ts'
import { testBus } from '../support/bus.ts'
import { openStorage } from '../support/data-dir.ts'

const LIMITS = { requestTimeoutMs: 1_000, maxBodyBytes: 1_000, silenceMs: 1_000 }

let directory: string
let storage: Storage

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'weir-live-pages-'))
  storage = await openStorage({ databaseUrl: undefined, dataDir: directory })
})

afterAll(async () => {
  await storage.close()
  rmSync(directory, { recursive: true, force: true })
})

test('a page that is catching up gets entries stored meanwhile, and the current status', async () => {
  const { db } = storage
  const control = { runLater: async () => {} }
  const streams = new Streams({ db, control, bus: testBus(), limits: LIMITS })
  const { id: streamId } = await streams.register({ url: 'http://localhost:1/feed', kind: 'sse' })
  await db.update(checkpoints).set({ seq: 2 })
  const hub = new Hub()
  const pushes = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const left = [...pushes]
  const publish = hub.publish.bind(hub)
  hub.publish = (...given) => {
    publish(...given)
    left.shift()?.resolve()
  }
  const pages = new LivePages({
    db,
    limits: LIMITS,
    now: Date.now,
    heldRun: () => undefined,
    hub,
    warn: fail,
  })
  const bus = testBus()
  refreshPages(bus, pages)
  const caughtUp = Promise.withResolvers<void>()
  const leaving = new AbortController()
  const page = hub.subscribe(streamPageTopic(streamId), {
    signal: leaving.signal,
    replay: async (send) => {
      await send({ data: 'how it was', position: 1 })
      await caughtUp.promise
    },
  })
  // What is pushed first was read after the line was stored, and before it was told.
  bus.publish({ type: 'stream.updated', streamIds: [streamId] })
  await pushes[0]?.promise
  bus.publish({ type: 'entries.stored', entries: [{ ...line(streamId), seq: 2 }] })
  await pushes[1]?.promise
  caughtUp.resolve()
  let shown = ''
  for await (const chunk of page.body as ReadableStream<Uint8Array>) {
    shown += new TextDecoder().decode(chunk)
    if (shown.includes('id="entry-2"')) break
  }
  expect(shown.split('id="status"')).toHaveLength(3)
  leaving.abort()
  pages.close()
  hub.close()
})

function line(streamId: string): Entry {
  const data = '{"price":1}'
  return { streamId, epoch: 1, seq: 1, at: Date.now(), kind: 'event', wireBytes: 10, bodyBytes: 10, data }
}

function fail(message: string): never {
  throw new Error(message)
}
