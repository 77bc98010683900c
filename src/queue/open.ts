import type {
  BackendFactory,
  ConnectionOptions,
  JobsOptions,
  Processor,
  Queue,
  RedisQueueBackend,
  Worker,
  WorkerOptions,
} from 'bullmq'
import type { Storage } from '../storage/storage.ts'

/** BullMQ with its backend: the rest of Weir creates queues and workers without knowing which one. */
export interface QueueEngine {
  queue(name: string, defaults?: JobsOptions): Queue
  worker(name: string, processor: Processor, options: Partial<WorkerOptions>): Worker
}

/** How many of a queue's events BullMQ keeps: only its board reads them. */
const EVENTS_KEPT = 1_000
type Factory = BackendFactory<RedisQueueBackend, ConnectionOptions>

/** Where jobs are stored, for people. */
export function describeQueues(redisUrl: string | undefined): string {
  if (redisUrl === undefined) return 'the database'
  const { protocol, host } = new URL(redisUrl)
  return `${protocol}//${host}`
}

/** Redis if configured, else BullMQ's tables in Weir's own database. */
export async function openQueueEngine(redisUrl: string | undefined, storage: Storage): Promise<QueueEngine> {
  const [bullmq, { EagerWorker }] = await Promise.all([import('bullmq'), import('./eager-worker.ts')])
  const made = { Queue: bullmq.Queue, Worker: EagerWorker }
  if (redisUrl !== undefined) {
    // BullMQ requires null: a worker that waits for Redis must keep waiting, not fail.
    return engine(made, { url: redisUrl, maxRetriesPerRequest: null }, undefined)
  }
  const client = await storage.pool.connect()
  try {
    await bullmq.runMigrations(client)
  } finally {
    client.release()
  }
  const { createBulkBackend } = await import('./postgres-backend.ts')
  // BullMQ types a Queue by its default, Redis; the methods that Weir calls are the same on both.
  const [pool, factory] = [
    storage.pool as unknown as ConnectionOptions,
    createBulkBackend as unknown as Factory,
  ]
  return engine(made, pool, factory)
}

function engine(
  { Queue, Worker }: Pick<typeof import('bullmq'), 'Queue' | 'Worker'>,
  connection: ConnectionOptions,
  factory: Factory | undefined,
): QueueEngine {
  return {
    queue(name, defaults) {
      const options = {
        connection,
        defaultJobOptions: defaults,
        streams: { events: { maxLen: EVENTS_KEPT } },
      }
      return factory === undefined ? new Queue(name, options) : new Queue(name, options, factory)
    },
    worker(name, processor, options) {
      const all = { ...options, connection }
      return factory === undefined
        ? new Worker(name, processor, all)
        : new Worker(name, processor, all, factory)
    },
  }
}
