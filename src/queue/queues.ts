import type { Queue } from 'bullmq'
import { ARCHIVE_QUEUE, DELIVERIES_QUEUE, SCHEDULES_QUEUE, STREAMS_QUEUE } from './names.ts'
import type { QueueEngine } from './open.ts'

export interface QueuesDeps {
  /** Opens the engine, when {@link Queues.open} is called. */
  engine(): Promise<QueueEngine>
  /** Told what goes wrong with a queue. */
  warn(message: string): void
}

/**
 * The queues, from before their engine is open: whoever asks for one waits until it is. No page needs them, and reading
 * BullMQ takes a fifth of a start.
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
    const queue = (name: string) => {
      const opened = this.#engine.then((open) =>
        open.queue(name).on('error', (error) => void warn(error.message)),
      )
      // Whoever asks for it is told.
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

  /** Opens the engine. @throws what keeps it from opening, as every queue does */
  open(): Promise<QueueEngine> {
    this.#asked.resolve()
    return this.#engine
  }

  /** Says that it won't be opened, unless it is already. */
  abandon(reason: unknown): void {
    this.#asked.reject(reason)
  }

  /** Closes one after the other, the last one first. */
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
