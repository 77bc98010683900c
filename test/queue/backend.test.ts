import { afterEach, beforeAll, expect, test } from 'bun:test'
import type { Job, Queue, Worker } from 'bullmq'
import { archiveLater } from '../../src/queue/archiving.ts'
import { streamControl } from '../../src/queue/control.ts'
import { deliveryControl } from '../../src/queue/deliveries.ts'
import { openQueueEngine, type QueueEngine } from '../../src/queue/open.ts'
import { heardOn, testBus } from '../support/bus.ts'
import { testStorage } from '../support/storage.ts'
import { until } from '../support/until.ts'

const own = testStorage()
/** Longer than any test: a worker that waits for an announcement doesn't look by itself. */
const NEVER_SECONDS = 600

let engine: QueueEngine
let closing: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  engine = await openQueueEngine(undefined, own.storage)
})

afterEach(async () => {
  for (const close of closing.toReversed()) await close()
  closing = []
})

function queueOf(name: string): Queue {
  const queue = engine.queue(name)
  closing.push(() => queue.close())
  return queue
}

/** A worker whose jobs end when it does, unless they fail. */
function workerOf(name: string, { concurrency = 10, fails = false, autorun = true } = {}) {
  const held: string[] = []
  const ended = Promise.withResolvers<void>()
  const work = async ({ id }: Job) => {
    held.push(`${id}`)
    if (fails) throw new Error('no')
    await ended.promise
  }
  const options = { name, concurrency, drainDelay: NEVER_SECONDS, skipStalledCheck: true, autorun }
  const worker = engine.worker(name, work, options)
  worker.on('error', () => {})
  closing.push(async () => {
    ended.resolve()
    // One that never ran has no jobs to wait for.
    await worker.close(!autorun)
  })
  return { worker, held }
}

const add = (queue: Queue, ...ids: string[]) =>
  queue.addBulk(ids.map((jobId) => ({ name: 'hold', data: {}, opts: { jobId } })))
const IDS = ['a', 'b', 'c', 'd', 'e']

test('a job that another worker is claiming is left to it, without waiting', async () => {
  const queue = queueOf('claimed')
  await add(queue, ...IDS)
  const other = await own.session()
  await other.run('BEGIN')
  const claim = `UPDATE job SET state = 'active', lock_token = 'other' WHERE queue LIKE '%claimed' AND id = 'c' RETURNING id`
  expect(await other.run(claim)).toHaveLength(1)
  const { held } = workerOf('claimed')
  await until('it has the others', () => held.length === 4)
  await other.run('COMMIT')
  other.end()
  expect(held.toSorted()).toEqual(['a', 'b', 'd', 'e'])
})

test('jobs are claimed in the order in which they were added', async () => {
  const queue = queueOf('ordered')
  await add(queue, ...IDS)
  const { held } = workerOf('ordered', { concurrency: 3 })
  await until('it has three', () => held.length === 3)
  expect(held.toSorted()).toEqual(['a', 'b', 'c'])
})

test('a worker gives back only what it has, and its owner whatever is claimed', async () => {
  const queue = queueOf('returned')
  await add(queue, 'a')
  const { held } = workerOf('returned')
  await until('it is claimed', () => held.length === 1)
  const isActive = async () => (await queue.getRanges(['active'], 0, -1)).includes('a')
  await queue.backend.moveJobFromActiveToWait('a', 'of another worker')
  expect(await isActive()).toBe(true)
  await queue.backend.moveJobFromActiveToWait('a', '0')
  await until('it is claimed again', () => held.length === 2)
})

test('jobs that were fetched and not started go back when the worker closes', async () => {
  const queue = queueOf('ahead')
  await add(queue, ...IDS)
  const { worker } = workerOf('ahead', { autorun: false })
  const fetching = worker as unknown as Fetching
  const take = fetching.moveToActive.bind(worker)
  let closed: Promise<void> | undefined
  // All five were fetched in one go, and one of them was handed out.
  fetching.moveToActive = async (...asked) => {
    const job = await take(...asked)
    closed ??= worker.close()
    return job
  }
  void worker.run()
  await until('it is closing', () => closed !== undefined)
  await until('the others are waiting', async () => {
    const waiting = await queue.getRanges(['wait'], 0, -1)
    return ['b', 'c', 'd', 'e'].every((id) => waiting.includes(id))
  })
})

interface Fetching {
  moveToActive(token: string, name: string): Promise<Job>
}

test('a worker fetches no more than it has room for', async () => {
  const queue = queueOf('room')
  await add(queue, ...IDS)
  const { worker } = workerOf('room', { concurrency: 3, autorun: false })
  const fetching = worker as unknown as Fetching
  await fetching.moveToActive('token', 'first')
  expect(await queue.getRanges(['active'], 0, -1)).toHaveLength(3)
})

test('a delivery that failed can be queued again under its ID, and one that waits isn’t doubled', async () => {
  const queue = queueOf('failed')
  const control = deliveryControl(Promise.resolve(queue), (message) => expect(message).toBe(''))
  control.deliverLater([{ id: 'd', channelId: 'c' }])
  control.deliverLater([{ id: 'd', channelId: 'c' }])
  control.deliverLater([{ id: 'e', channelId: 'c' }])
  const waiting = () => queue.getRanges(['wait'], 0, -1)
  await until('the last is queued', async () => (await waiting()).length > 1)
  expect((await waiting()).toSorted()).toEqual(['d', 'e'])
  await queue.remove('e')
  const { held } = workerOf('failed', { fails: true })
  await until('it was tried', () => held.length === 1)
  await until('its job is gone', async () => (await queue.getJob('d')) === undefined)
  control.deliverLater([{ id: 'd', channelId: 'c' }])
  await until('it is tried again', () => held.length === 2)
})

test('a delivery that is due now doesn’t wait for its old job', async () => {
  const queue = queueOf('again')
  await queue.add('deliver', {}, { jobId: 'd', delay: 3_600_000 })
  const control = deliveryControl(Promise.resolve(queue), (message) => expect(message).toBe(''))
  control.deliverLater([{ id: 'd', channelId: 'c' }])
  control.deliverAgain([{ id: 'd', channelId: 'c' }])
  const { held } = workerOf('again')
  await until('it is delivered', () => held.length === 1)
})

test('a queue that is away is warned of, and nobody waits for it', async () => {
  const warned = Promise.withResolvers<string>()
  const control = deliveryControl(Promise.reject(new Error('away')), warned.resolve)
  control.deliverLater([{ id: 'd', channelId: 'c' }])
  expect(await warned.promise).toBe("Deliveries can't be queued yet: away")
})

test('archiving is asked for once, however often', async () => {
  const queue = queueOf('archiving')
  const later = archiveLater(Promise.resolve(queue))
  await Promise.all([later(), later(), later()])
  expect(await queue.getRanges(['wait'], 0, -1)).toHaveLength(1)
  const { held, worker } = workerOf('archiving', { fails: true })
  await until('it ran', () => held.length === 1)
  await until('its job is gone', async () => (await queue.getJob('archive')) === undefined)
  await later()
  await until('it runs again', () => held.length === 2)
  expect((worker as Worker).isRunning()).toBe(true)
})

test('a stream’s job outlives months: with its ID, gone when it ends, and tried again with jitter', async () => {
  const added: unknown[][] = []
  const queue = { addBulk: async (jobs: unknown[]) => void added.push(jobs) } as unknown as Queue
  const bus = testBus()
  const told = heardOn(bus, 'job.enqueued')
  const ids = Array.from({ length: 1_001 }, (_, index) => `${index}`)
  await streamControl({ queue: Promise.resolve(queue), bus, warn: () => {} }).runLater(ids)
  expect(added.map((jobs) => jobs.length)).toEqual([1_000, 1])
  expect(added[1]).toEqual([
    {
      name: 'hold',
      data: {},
      opts: {
        jobId: '1000',
        removeOnComplete: true,
        removeOnFail: true,
        attempts: 1_000_000,
        backoff: { type: 'fixed', delay: 2_000, jitter: 0.5 },
      },
    },
  ])
  expect(told).toEqual([{ type: 'job.enqueued' }])
})
