import type { Queue } from 'bullmq'
import { faultLog } from './fault-log.ts'
import { ARCHIVE_QUEUE, DELIVERIES_QUEUE, SCHEDULES_QUEUE, STREAMS_QUEUE } from './names.ts'
import type { QueueEngine } from './open.ts'

export interface QueuesDeps {
  /** Opens the engine, when {@link Queues.open} is called. */
  engine(): Promise<QueueEngine>
  /** Called with errors of a queue. */
  warn(message: string): void
}

/**
 * The queues, usable before the engine is open: callers wait until it is. No page needs them, and loading BullMQ
 * takes a fifth of the start time.
 */
export class Queues {
  readonly streams: Promise<Queue>
  readonly schedules: Promise<Queue>
  readonly deliveries: Promise<Queue>
  readonly archive: Promise<Queue>
  readonly #engine: Promise<QueueEngine>
  readonly #asked = Promise.withResolvers<void>()

  constructor({ engine, warn }: QueuesDeps) {
    this.#engine = this.#asked.promise.then(engine)
    const failed = faultLog(warn)
    const queue = (name: string) => {
      const opened = this.#engine.then((open) => open.queue(name).on('error', failed))
      // Callers that wait for it get the error.
      opened.catch(() => {})
      return opened
    }
    this.streams = queue(STREAMS_QUEUE)
    this.schedules = queue(SCHEDULES_QUEUE)
    this.deliveries = queue(DELIVERIES_QUEUE)
    this.archive = queue(ARCHIVE_QUEUE)
  }

  get all(): readonly Promise<Queue>[] {
    return [this.streams, this.schedules, this.deliveries, this.archive]
  }

  /** Opens the engine. @throws the error that keeps it from opening; so does every queue */
  open(): Promise<QueueEngine> {
    this.#asked.resolve()
    return this.#engine
  }

  /** Gives up opening the engine, unless it is open already. */
  abandon(reason: unknown): void {
    this.#asked.reject(reason)
  }

  /** Closes them one by one, the last one first. */
  async close(): Promise<void> {
    for (const queue of this.all.toReversed()) {
      // Without an engine there is nothing to close.
      await queue.then(
        (opened) => opened.close(),
        () => {},
      )
    }
  }
}
