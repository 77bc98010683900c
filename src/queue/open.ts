import {
  type BackendFactory,
  type ConnectionOptions,
  type JobsOptions,
  type Processor,
  Queue,
  type RedisQueueBackend,
  runMigrations,
  type Worker,
  type WorkerOptions,
} from 'bullmq'
import type { Storage } from '../storage/storage.ts'
import { EagerWorker } from './eager-worker.ts'
import { createBulkBackend } from './postgres-backend.ts'

/** BullMQ, bound to its backend: the rest of Weir makes queues and workers without knowing which. */
export interface QueueEngine {
  /** Where jobs lie, for people. */
  readonly description: string
  queue(name: string, defaults?: JobsOptions): Queue
  worker(name: string, processor: Processor, options: Partial<WorkerOptions>): Worker
}

/** How many of a queue's events BullMQ keeps: only its board reads them. */
const EVENTS_KEPT = 1_000
type Factory = BackendFactory<RedisQueueBackend, ConnectionOptions>

/** Redis where there is one, else the tables that BullMQ keeps in the database Weir stores in. */
export async function openQueueEngine(redisUrl: string | undefined, storage: Storage): Promise<QueueEngine> {
  if (redisUrl !== undefined) {
    const { protocol, host } = new URL(redisUrl)
    // BullMQ asks for null: a worker that waits for Redis must go on waiting, not fail.
    return engine(`${protocol}//${host}`, { url: redisUrl, maxRetriesPerRequest: null }, undefined)
  }
  const client = await storage.pool.connect()
  try {
    await runMigrations(client)
  } finally {
    client.release()
  }
  // BullMQ types a Queue by its default, Redis; what Weir calls is the same on both.
  const [pool, factory] = [
    storage.pool as unknown as ConnectionOptions,
    createBulkBackend as unknown as Factory,
  ]
  return engine('the database', pool, factory)
}

function engine(
  description: string,
  connection: ConnectionOptions,
  factory: Factory | undefined,
): QueueEngine {
  return {
    description,
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
        ? new EagerWorker(name, processor, all)
        : new EagerWorker(name, processor, all, factory)
    },
  }
}
