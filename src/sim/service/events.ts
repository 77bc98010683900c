import { encodeMessage } from '../../core/sse.ts'
import { FaultHolder } from '../faults/faults.ts'
import type { Frame } from '../faults/sse-faults.ts'
import type { Random } from '../random.ts'
import { type Action, Readers, type Story } from './readers.ts'

/** Well below the idle timeouts of common proxies (nginx and most load balancers: 60 s). */
export const HEARTBEAT_MS = 15_000
/** How long a reader should wait before it comes back. */
const RETRY_MS = 1_000
/** What a returning reader can be sent again. At the bound the oldest is forgotten. */
export const MAX_KEPT_EVENTS = 200

export interface OpenOptions {
  /** The request's `Last-Event-ID`, if it has one. */
  lastEventId: string | null
  /** The current state, as JSON. */
  state: string
  /** Called once when the feed ends the stream, or when the reader has left. */
  onEnd?: () => void
}

/** What a service's `/events` shows. */
export interface Feed {
  /** How many read it. */
  readonly readers: number
  /** Answers with the stream; `undefined` when there are too many readers. */
  open(options: OpenOptions): Response | undefined
  /** Does something once to the connections that are open. @returns how many they were */
  act(action: Action): number
}

/**
 * The event stream of one service: a ring of what happened last, and whoever reads it.
 *
 * Ids start at the time of the start in milliseconds and grow by one, so that they also grow over a restart:
 * a reader that comes back to a new process gets all of the ring, instead of losing what has a smaller id.
 */
export class EventFeed implements Feed, Story {
  readonly #kept: Frame[] = []
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

  frame(id: number): Frame {
    return this.#kept[id - this.oldest] ?? encode('state', id, '{}')
  }

  /** Sends an event to every reader and keeps it for those who come back. Never waits. */
  publish(event: string, data: object): void {
    this.#kept.push(encode(event, ++this.#lastId, JSON.stringify(data)))
    if (this.#kept.length > MAX_KEPT_EVENTS) this.#kept.shift()
    this.#readers.tell()
  }

  heartbeat(): void {
    this.#readers.heartbeat()
  }

  /** Answers with the state, what was missed since `lastEventId`, then what happens. */
  open({ lastEventId, state, onEnd }: OpenOptions): Response | undefined {
    const from = this.#position(lastEventId)
    // The id is where the missed events begin: a reader cut off right here misses none of them.
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

function encode(event: string, id: number, data: string): Frame {
  return { bytes: encodeMessage({ event, id: String(id), data }) }
}
