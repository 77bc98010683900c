import { beforeEach, expect, jest, test } from 'bun:test'
import { EventEmitter } from 'node:events'
import { DelayedError, type Job, type Queue, WaitingError, type Worker } from 'bullmq'
import { sql } from 'drizzle-orm'
import { deliverJob } from '../../jobs/deliver.ts'
import { planSchedules, SCHEDULES } from '../../jobs/schedules.ts'
import { type ShareDeps, WorkerShare } from '../../jobs/share.ts'
import { streamJob } from '../../jobs/stream.ts'
import { startWorkers, type WorkersDeps } from '../../jobs/workers.ts'
import type { Deliverer } from '../../src/channels/deliverer.ts'
import type { QueueEngine } from '../../src/queue/open.ts'
import type { Runner } from '../../src/streams/ingest/runner.ts'
import { testBus } from '../support/bus.ts'
import { elapse } from '../support/clock.ts'
import { testStorage } from '../support/storage.ts'
import { until } from '../support/until.ts'

const own = testStorage()

interface Made {
  queue: string
  options: Record<string, unknown>
  worker: EventEmitter & Record<string, unknown>
}

let made: Made[]
/** What was called, in order. */
let steps: string[]
let warnings: string[]

beforeEach(async () => {
  made = []
  steps = []
  warnings = []
  await own.db.execute(sql`DELETE FROM weir.workers`)
  await own.db.execute(sql`DELETE FROM weir.streams`)
})

/** An engine that makes workers without jobs. */
const engine: QueueEngine = {
  queue: () => {
    throw new Error('no queue is needed')
  },
  worker(queue, _processor, options) {
    const worker = Object.assign(new EventEmitter(), {
      isRunning: () => true,
      cancelAllJobs: () => void steps.push(`cancel ${queue}`),
      close: async () => void steps.push(`close ${queue}`),
    }) as unknown as Made['worker']
    made.push({ queue, options: options as Record<string, unknown>, worker })
    return worker as unknown as Worker
  },
}

function start(bus = testBus()) {
  return startWorkers({
    db: own.db,
    bus,
    engine,
    holder: {
      size: 0,
      close: () => void steps.push('release streams'),
      release: () => {},
    } as unknown as Runner,
    control: {
      runLater: async () => void steps.push('announce'),
      claims: async () => [],
      free: async () => {},
    },
    worker: 'w',
    streamsPerWorker: 1_000,
    deliverer: { close: () => void steps.push('end attempts') } as unknown as Deliverer,
    warn: (message: string) => void warnings.push(message),
  } as unknown as WorkersDeps)
}

const of = (name: string) => made.find(({ queue }) => queue.endsWith(name)) as Made

test('each queue has its worker, with its own patience and number of jobs', async () => {
  const workers = await start()
  const lock = {
    lockDuration: 5_000,
    lockRenewTime: 3_500,
    maxStalledCount: 1_000_000_000,
    runRetryDelay: 1_000,
  }
  expect(made).toHaveLength(4)
  // Endless jobs: their lock lasts until the worker is gone.
  expect(of('streams').options).toEqual({
    ...lock,
    ...{ lockDuration: 100 * 365 * 86_400_000, skipLockRenewal: true, skipStalledCheck: true },
    ...{ stalledInterval: 2_000, drainDelay: 1, name: 'w', concurrency: 1_000 },
  })
  expect(of('schedules').options).toEqual({
    ...lock,
    stalledInterval: 2_000,
    drainDelay: 1,
    name: 'w',
    concurrency: 2,
  })
  const announced = { ...lock, stalledInterval: 10_000, drainDelay: 5, name: 'w' }
  expect(of('deliveries').options).toEqual({ ...announced, concurrency: 32 })
  // One day at a time, or two would archive the same one.
  expect(of('archive').options).toEqual({ ...announced, concurrency: 1 })
  expect(workers.areRunning()).toBe(true)
  of('archive').worker.isRunning = () => false
  expect(workers.areRunning()).toBe(false)
  await workers.close()
})

test('a worker that closes releases its streams, says so, and leaves the list', async () => {
  await own.stream()
  const workers = await start()
  const listed = () => own.rows<{ name: string }>(sql`SELECT name FROM weir.workers`)
  expect(await listed()).toEqual([{ name: 'w' }])
  await workers.close()
  expect(await listed()).toEqual([])
  expect(steps).toContain('announce')
  expect(steps).toContain('release streams')
  expect(steps.filter((step) => step.startsWith('close'))).toHaveLength(4)
  expect(steps.indexOf('release streams')).toBeLessThan(steps.findIndex((step) => step.startsWith('close')))
  expect(steps).toContain('cancel archive')
  expect(warnings).toEqual([])
})

test('archiving ends when another worker may have taken the job', async () => {
  const workers = await start()
  of('archive').worker.emit('lockRenewalFailed', ['archive'])
  expect(steps).toEqual(['cancel archive'])
  await workers.close()
})

test('what fails is warned of, except what is expected when a job moves', async () => {
  const workers = await start()
  of('streams').worker.emit('error', new Error('Missing lock for job 1. moveToFinished'))
  of('streams').worker.emit('error', new Error('Redis is away'))
  of('deliveries').worker.emit('failed', { id: 'd' }, new Error('no'))
  of('archive').worker.emit('failed', { id: 'a' }, new Error('no'))
  of('streams').worker.emit('failed', { id: 's' }, new Error('no'))
  expect(warnings).toEqual([
    "The queue of jobs doesn't respond: Redis is away",
    'The delivery d failed: no',
    'Archiving failed: no',
    'The job of stream s failed: no',
  ])
  await workers.close()
})

/** A share of a worker that holds some streams; `others` are its peers, and `steps` say what it releases. */
async function share(held: number, others: readonly string[], more: Partial<ShareDeps> = {}) {
  const bus = testBus()
  const holder = { size: held, release: (count: number) => void steps.push(`release ${count}`) }
  const soon = new Date(Date.now() + 3_600_000).toISOString()
  for (const name of others) {
    await own.db.execute(
      sql`INSERT INTO weir.workers (name, started_at, seen_at, streams) VALUES (${name}, ${soon}, ${soon}, 0)`,
    )
  }
  const deps = {
    ...{ db: own.db, bus, worker: 'w', streamsPerWorker: 100, holder: holder as unknown as Runner },
    ...{ control: { claims: async () => [], free: async () => {} } },
    warn: (message: string) => void warnings.push(message),
    ...more,
  }
  return { bus, holder, share: await WorkerShare.begin(deps) }
}
const running = async (count: number) => {
  for (let index = 0; index < count; index++) await own.stream()
}

test('alone it takes what it may; with others its part and a tenth more', async () => {
  await running(40)
  expect((await share(0, [])).share.most).toBe(100)
  expect((await share(0, ['a'])).share.most).toBe(22)
  expect((await share(0, ['b', 'c'])).share.most).toBe(11)
  expect((await share(0, [], { streamsPerWorker: 5 })).share.most).toBe(5)
})

test('streams move to a new worker, down to the share', async () => {
  await running(40)
  const { bus, share: own40 } = await share(40, [])
  const worker = { concurrency: 100, pause: async () => {}, resume: async () => {} }
  own40.attach(worker as unknown as Worker)
  const soon = new Date(Date.now() + 3_600_000).toISOString()
  await own.db.execute(
    sql`INSERT INTO weir.workers (name, started_at, seen_at, streams) VALUES ('new', ${soon}, ${soon}, 0)`,
  )
  bus.publish({ type: 'job.enqueued' })
  await until('it has released some', () => steps.length > 0)
  expect(steps[0]).toBe('release 20')
  expect(worker.concurrency).toBe(22)
  own40.close()
})

test('within a tenth more than its share nothing moves', async () => {
  await running(40)
  const { bus, share: own22 } = await share(22, ['other'])
  const worker = { concurrency: 100, pause: async () => {}, resume: async () => {} }
  own22.attach(worker as unknown as Worker)
  bus.publish({ type: 'job.enqueued' })
  await until('it has checked', () => worker.concurrency === 22)
  expect(steps).toEqual([])
  own22.close()
})

test('a released stream’s job goes back to the queue; a finished one ends', async () => {
  const { share: share0 } = await share(0, [])
  const moved: unknown[] = []
  const job = { id: 's', attemptsStarted: 4, moveToWait: async (token: string) => void moved.push(token) }
  const run = (end: string) => {
    const hold = async (...asked: unknown[]) => {
      moved.push(asked.slice(0, 2))
      return end
    }
    const work = streamJob({ hold } as unknown as Runner, share0)
    return work(job as unknown as Job, 'token', new AbortController().signal)
  }
  expect(streamJob({} as Runner, share0).length).toBe(3)
  await run('finished')
  expect(moved).toEqual([['s', 4]])
  expect(run('released')).rejects.toBeInstanceOf(WaitingError)
  expect(moved).toEqual([['s', 4], ['s', 4], 'token'])
  share0.close()
})

test('a delivery that isn’t finished waits for its time', async () => {
  const moved: unknown[] = []
  const job = { id: 'd', moveToDelayed: async (...to: unknown[]) => void moved.push(to) } as unknown as Job
  const work = (next: Date | undefined) =>
    deliverJob({ attempt: async () => next } as unknown as Deliverer)(job, 'token')
  await work(undefined)
  expect(moved).toEqual([])
  expect(work(new Date(7_000))).rejects.toBeInstanceOf(DelayedError)
  expect(moved).toEqual([[7_000, 'token']])
})

test('every schedule has its time, and those that are no more are removed', async () => {
  const planned: unknown[] = []
  const removed: string[] = []
  const queue = {
    getJobSchedulers: async () => [{ key: 'old' }, { key: 'health' }],
    removeJobScheduler: async (key: string) => void removed.push(key),
    upsertJobScheduler: async (
      name: string,
      { every }: { every: number },
      job: { name: string; opts: object },
    ) => void planned.push([name, every, job.name, job.opts]),
  } as unknown as Queue
  await planSchedules(queue)
  const opts = { removeOnComplete: { count: 20 }, removeOnFail: { count: 20 } }
  const seconds = {
    ...{
      reconcile: 5,
      redeliver: 5,
      forget: 600,
      archive: 60,
      retain: 60,
      health: 5,
      availability: 60,
      incidents: 5,
    },
    ...{ forgetIncidents: 600, forgetAccess: 600, strays: 3_600, rest: 5 },
  }
  expect(planned).toEqual(Object.entries(seconds).map(([name, every]) => [name, every * 1_000, name, opts]))
  expect(removed).toEqual(['old'])
  expect(Object.keys(SCHEDULES)).toEqual(Object.keys(seconds))
})

test('attempts that take too long are ended when Weir shuts down', async () => {
  const workers = await start()
  const stuck = Promise.withResolvers<void>()
  of('deliveries').worker.close = () => stuck.promise
  jest.useFakeTimers()
  const closed = workers.close()
  try {
    await elapse(1_499)
    expect(steps).not.toContain('end attempts')
    await elapse(1)
    expect(steps).toContain('end attempts')
  } finally {
    jest.useRealTimers()
    stuck.resolve()
    await closed
  }
})
