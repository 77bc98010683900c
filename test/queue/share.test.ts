import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eq } from 'drizzle-orm'
import { streams, workers } from '../../drizzle/schema.ts'
import { WorkerShare } from '../../jobs/share.ts'
import { HELD_WITHIN_MS } from '../../src/core/judging/status.ts'
import { openQueueEngine, type QueueEngine } from '../../src/queue/open.ts'
import type { Storage } from '../../src/storage/storage.ts'
import type { Runner } from '../../src/streams/ingest/runner.ts'
import { type JobControl, Streams } from '../../src/streams/registry/streams.ts'
import { exchangeHeartbeats, retireWorker } from '../../src/streams/status/health.ts'
import { testBus } from '../support/bus.ts'
import { openStorage } from '../support/data-dir.ts'
import { until } from '../support/until.ts'

const JOBS = 8
const CONTROL: JobControl = {
  runLater: async () => {},
  claims: async () => [],
  free: async () => {},
}

let directory: string
let storage: Storage
let engine: QueueEngine

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'weir-share-'))
  storage = await openStorage({ databaseUrl: undefined, dataDir: directory })
  engine = await openQueueEngine(undefined, storage)
})

afterAll(async () => {
  await storage.close()
  rmSync(directory, { recursive: true, force: true })
})

test('a full worker with endless jobs takes more as soon as its share grows', async () => {
  const { db } = storage
  for (let index = 0; index < JOBS; index++) await registry().register(API(index))
  // With another worker, this one's share is half of the streams, and a little more.
  const seenAt = new Date(Date.now() + 60_000)
  await db.insert(workers).values({ name: 'other', startedAt: seenAt, seenAt, streams: 0 })
  let running = 0
  const ending = Promise.withResolvers<void>()
  const holder = { release: () => {} } as unknown as Runner
  Object.defineProperty(holder, 'size', { get: () => running })
  const warn = (message: string) => expect(message).toBe('')
  const bus = testBus()
  const share = await WorkerShare.begin({
    db,
    bus,
    control: CONTROL,
    holder,
    worker: 'this',
    streamsPerWorker: 100,
    warn,
  })
  const queue = engine.queue('shared')
  const work = async () => {
    running++
    await ending.promise
  }
  const worker = engine.worker('shared', () => share.during(work), { concurrency: share.most, drainDelay: 1 })
  share.attach(worker)
  await queue.addBulk(Array.from({ length: JOBS }, (_, index) => ({ name: 'hold', data: { index } })))
  await until('it has its share', () => running === share.most)
  expect(running).toBe(JOBS / 2 + 1)
  await db.delete(workers)
  bus.publish({ type: 'job.enqueued' }, 'elsewhere')
  await until('it has them all', () => running === JOBS)
  share.close()
  ending.resolve()
  await worker.close()
  await queue.close()
})

test('a retiring worker has no share, and keeps streams until they are taken over', async () => {
  const { db } = storage
  const now = new Date()
  await db.delete(workers)
  await db.delete(streams)
  for (let index = 0; index < JOBS; index++) await registry().register(API(index))
  await exchangeHeartbeats(db, 'going', 4, now)
  expect(await shareOfStaying()).toBe(JOBS / 2 + 1)
  await retireWorker(db, 'going', now)
  expect(await shareOfStaying()).toBe(100)
  const [going] = await db.select().from(workers).where(eq(workers.name, 'going'))
  expect(now.getTime() - Number(going?.seenAt)).toBeLessThan(HELD_WITHIN_MS)
  await db.delete(workers)
})

const API = (index: number) => ({
  url: `http://localhost:1/${index}`,
  kind: 'sse' as const,
  intervalMs: 1_000,
})

function registry(): Streams {
  return new Streams({
    db: storage.db,
    control: CONTROL,
    bus: testBus(),
    limits: { requestTimeoutMs: 1_000, maxBodyBytes: 1_000 },
  })
}

async function shareOfStaying(): Promise<number> {
  const holder = { size: 4 } as unknown as Runner
  const warn = (message: string) => expect(message).toBe('')
  const share = await WorkerShare.begin({
    ...{
      db: storage.db,
      bus: testBus(),
      control: CONTROL,
      holder,
      worker: 'staying',
      streamsPerWorker: 100,
      warn,
    },
  })
  share.close()
  return share.most
}
