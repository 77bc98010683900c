import { encodeMessage } from '../../core/sse.ts'
import { FaultHolder } from '../faults/faults.ts'
import type { StreamFrame } from '../faults/sse-faults.ts'
import type { Random } from '../random.ts'
import { type Action, Readers, type Story } from './readers.ts'

/** Well below the idle timeouts of common proxies (nginx and most load balancers: 60 s). */
export const HEARTBEAT_MS = 15_000
/** How long a reader should wait before it reconnects. */
const RETRY_MS = 1_000
/** Events kept for readers that reconnect. Beyond it the oldest is dropped. */
export const MAX_KEPT_EVENTS = 200

export interface OpenOptions {
  /** The request's `Last-Event-ID`, if any. */
  lastEventId: string | null
  /** The current state, as JSON. */
  state: string
  /** Called once when the feed ends the stream or the reader has left. */
  onEnd?: () => void
}

/** The content of a service's `/events`. */
export interface ServiceFeed {
  /** Number of readers. */
  readonly readers: number
  /** Responds with the stream; `undefined` if there are too many readers. */
  open(options: OpenOptions): Response | undefined
  /**
   * Applies a one-time fault to the open connections.
   * @returns their number
   */
  act(action: Action): number
}

/**
 * The event stream of one service: a ring buffer of recent events, and its readers.
 *
 * IDs start at the start time in milliseconds and increase by one, so that they also increase across restarts: a
 * reader that reconnects to a new process gets the whole buffer instead of missing what has a smaller ID.
 */
export class EventFeed implements ServiceFeed, Story {
  readonly #kept: StreamFrame[] = []
  readonly #readers: Readers
  #lastId: number

  /** @param randomOf see {@link Readers} */
  constructor(
    startedAt: number,
    faults: FaultHolder = new FaultHolder(),
    randomOf: (connection: number) => Random = () => Math.random,
  ) {
    this.#lastId = startedAt
    this.#readers = new Readers({ story: this, faults, randomOf, retryMs: RETRY_MS, isPatient: false })
  }

  get readers(): number {
    return this.#readers.count
  }

  /** How many readers were closed because they didn't read. */
  get slowReaders(): number {
    return this.#readers.slow
  }

  get newest(): number {
    return this.#lastId
  }

  get oldest(): number {
    return this.#lastId - this.#kept.length + 1
  }

  frame(id: number): StreamFrame {
    return this.#kept[id - this.oldest] ?? encode('state', id, '{}')
  }

  /** Sends an event to every reader and keeps it for those that reconnect. Never waits. */
  publish(event: string, data: object): void {
    this.#kept.push(encode(event, ++this.#lastId, JSON.stringify(data)))
    if (this.#kept.length > MAX_KEPT_EVENTS) this.#kept.shift()
    this.#readers.tell()
  }

  heartbeat(): void {
    this.#readers.heartbeat()
  }

  /** Responds with the state, the events missed since `lastEventId`, then live events. */
  open({ lastEventId, state, onEnd }: OpenOptions): Response | undefined {
    const from = this.#position(lastEventId)
    // The ID is where the missed events begin: a reader that is cut off right here misses none of them.
    return this.#readers.open({ greeting: [encode('state', from, state)], next: from + 1, onEnd })
  }

  act(action: Action): number {
    return this.#readers.act(action)
  }

  /** Ends every stream. */
  close(): void {
    this.#readers.close()
  }

  #position(lastEventId: string | null): number {
    if (lastEventId === null || !/^\d{1,15}$/.test(lastEventId)) return this.#lastId
    return Math.min(Number(lastEventId), this.#lastId)
  }
}

function encode(event: string, id: number, data: string): StreamFrame {
  return { bytes: encodeMessage({ event, id: String(id), data }) }
}
