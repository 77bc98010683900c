import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eq } from 'drizzle-orm'
import { states, workers } from '../../drizzle/schema.ts'
import { streamControl } from '../../src/queue/control.ts'
import { openQueueEngine, type QueueEngine } from '../../src/queue/open.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { type JobControl, Streams } from '../../src/streams/registry/streams.ts'
import { reconcile } from '../../src/streams/status/health.ts'
import { heardOn, testBus } from '../support/bus.ts'
import { openStorage } from '../support/data-dir.ts'
import { isSkipped, type OpenSetup, SETUPS } from '../support/setups.ts'
import { until } from '../support/until.ts'

const JOBS = 60
/** Longer than any test: a worker that waits for an announcement doesn't look by itself. */
const NEVER_SECONDS = 600

describe.each(SETUPS)('jobs of streams on $name', (setup) => {
  describe.skipIf(isSkipped(setup))('', () => {
    let services: OpenSetup
    let directory: string
    let storage: Storage
    let engine: QueueEngine
    let closing: (() => Promise<unknown>)[] = []
    const bus = testBus()

    beforeAll(async () => {
      services = await setup.open()
      directory = mkdtempSync(join(tmpdir(), 'weir-jobs-'))
      const { DATABASE_URL, REDIS_URL } = services.environment
      storage = await openStorage({ databaseUrl: DATABASE_URL, dataDir: directory })
      engine = await openQueueEngine(REDIS_URL, storage)
    })

    afterAll(async () => {
      await Promise.all(closing.map((close) => close()))
      await storage.close()
      await services.close()
      rmSync(directory, { recursive: true, force: true })
    })

    const controlOf = (name: string): JobControl => {
      const queue = engine.queue(name)
      closing = [...closing, () => queue.close()]
      return streamControl({ queue: Promise.resolve(queue), bus, warn: () => {} })
    }
    /** A worker whose jobs end when it does. */
    const workerOf = (name: string, worker: string, concurrency = 2 * JOBS) => {
      const held = new Set<string>()
      const attempts: string[] = []
      const ended = Promise.withResolvers<void>()
      const options = { name: worker, concurrency, drainDelay: NEVER_SECONDS, skipStalledCheck: true }
      const work = async ({ id }: { id?: string }) => {
        held.add(`${id}`)
        attempts.push(`${id}`)
        await ended.promise
      }
      const running = engine.worker(name, work, options)
      running.on('error', () => {})
      const close = async () => {
        ended.resolve()
        await running.close()
      }
      closing = [close, ...closing]
      return { held, attempts, close }
    }
    const ids = (count = JOBS) => Array.from({ length: count }, () => crypto.randomUUID())

    test('a worker with more room than jobs starts all of them, each once', async () => {
      const control = controlOf('room')
      const wanted = ids()
      await control.runLater(wanted)
      const { held, attempts } = workerOf('room', 'one')
      await until('it has all', () => held.size === JOBS)
      expect(attempts.toSorted()).toEqual(wanted.toSorted())
    })

    test('a worker claims no more jobs than it has room for, and others get the rest', async () => {
      const control = controlOf('rest')
      await control.runLater(ids())
      const few = workerOf('rest', 'few', 10)
      await until('it has what it may', () => few.held.size === 10)
      const many = workerOf('rest', 'many')
      await until('the other has the rest', () => many.held.size === JOBS - 10)
      expect(few.held.size).toBe(10)
    })

    test('a claim names its worker; freed jobs go to another, and unclaimed ones stay', async () => {
      const control = controlOf('freed')
      const all = ids(4)
      const [gone = '', kept = ''] = all
      const enqueued = heardOn(bus, 'job.enqueued')
      await control.runLater(all)
      expect(enqueued).toHaveLength(1)
      const first = workerOf('freed', 'first', 2)
      await until('the first has two', () => first.held.size === 2)
      const claims = await control.claims(() => true)
      expect(claims.map(({ id }) => id).toSorted()).toEqual([...first.held].toSorted())
      expect(new Set(claims.map(({ worker }) => worker))).toEqual(new Set(['first']))
      expect(await control.claims((id) => !first.held.has(id))).toEqual([])
      await control.free(all)
      expect(enqueued).toHaveLength(2)
      const second = workerOf('freed', 'second')
      await until('the second has all', () => second.held.size === 4)
      expect(second.attempts).toHaveLength(4)
      expect(second.held).toContain(gone)
      expect(second.held).toContain(kept)
    })

    test('a claimed job whose stream nobody runs is found, and goes to another worker', async () => {
      const { db } = storage
      const control = controlOf('left')
      const streams = new Streams({
        db,
        control,
        bus,
        limits: { requestTimeoutMs: 1_000, maxBodyBytes: 1_000 },
      })
      const [left, held] = await Promise.all(
        ['left', 'held'].map((path) =>
          streams.register({ url: `http://localhost:1/${path}`, kind: 'sse', intervalMs: 1_000 }),
        ),
      )
      const now = Date.now() + 60_000
      await db
        .insert(workers)
        .values({ name: 'living', startedAt: new Date(now), seenAt: new Date(now), streams: 1 })
      await db
        .update(states)
        .set({ worker: 'living' })
        .where(eq(states.streamId, `${held?.id}`))
      const first = workerOf('left', 'first', 2)
      await until('both are claimed', () => first.held.size === 2)
      expect(await reconcile(db, control, Date.now())).toBe(1)
      const second = workerOf('left', 'second')
      await reconcile(db, control, now)
      await until('another has it', () => second.held.size === 1)
      expect([...second.held]).toEqual([`${left?.id}`])
    })
  })
})
