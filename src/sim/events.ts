import { encodeComment, encodeMessage, encodeRetry, SSE_HEADERS } from '../core/sse.ts'

/** Well below the idle timeouts of common proxies (nginx and most load balancers: 60 s). */
export const HEARTBEAT_MS = 15_000
/** How long a reader should wait before it comes back. */
const RETRY_MS = 1_000
/** What a returning reader can be sent again. At the bound the oldest is forgotten. */
export const MAX_KEPT_EVENTS = 200
/** What a reader may leave unread. At the bound it is closed: one stuck reader must not hold memory for all. */
export const MAX_UNREAD_BYTES = 262_144
/** Readers of one service at a time. At the bound the next one is refused. */
const MAX_READERS = 100

const HEARTBEAT = encodeComment('heartbeat')

export interface OpenOptions {
  /** The request's `Last-Event-ID`, if it has one. */
  lastEventId: string | null
  /** The current state, as JSON. */
  state: string
  /** Called once when the feed ends the stream, or when the reader has left. */
  onEnd?: () => void
}

interface Reader {
  controller: ReadableStreamDefaultController<Uint8Array>
  onEnd: (() => void) | undefined
}

/**
 * The event stream of one service: a ring of what happened last, and whoever reads it.
 *
 * Ids start at the time of the start in milliseconds and grow by one, so that they also grow over a restart:
 * a reader that comes back to a new process gets all of the ring, instead of losing what has a smaller id.
 */
export class EventFeed {
  /** How many readers were closed because they didn't read. */
  slowReaders = 0
  readonly #kept: { id: number; frame: Uint8Array }[] = []
  readonly #readers = new Set<Reader>()
  #lastId: number

  constructor(startedAt: number) {
    this.#lastId = startedAt
  }

  get readers(): number {
    return this.#readers.size
  }

  /** Sends an event to every reader and keeps it for those who come back. Never waits. */
  publish(event: string, data: object): void {
    const id = ++this.#lastId
    const frame = encodeMessage({ event, id: String(id), data: JSON.stringify(data) })
    this.#kept.push({ id, frame })
    if (this.#kept.length > MAX_KEPT_EVENTS) this.#kept.shift()
    this.#send(frame)
  }

  /** Keeps proxies from closing an idle stream, and finds out which readers are gone. */
  heartbeat(): void {
    this.#send(HEARTBEAT)
  }

  /**
   * Answers with the stream: the state, what was missed since `lastEventId`, then what happens.
   * `undefined` when there are too many readers.
   */
  open({ lastEventId, state, onEnd }: OpenOptions): Response | undefined {
    if (this.#readers.size >= MAX_READERS) return undefined
    const from = this.#position(lastEventId)
    let reader: Reader
    const body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          reader = { controller, onEnd }
          this.#readers.add(reader)
          controller.enqueue(encodeRetry(RETRY_MS))
          // The id is where the missed events begin: a reader cut off right here misses none of them.
          controller.enqueue(encodeMessage({ event: 'state', id: String(from), data: state }))
          for (const { id, frame } of this.#kept) if (id > from) controller.enqueue(frame)
        },
        cancel: () => this.#end(reader),
      },
      new ByteLengthQueuingStrategy({ highWaterMark: MAX_UNREAD_BYTES }),
    )
    return new Response(body, { headers: SSE_HEADERS })
  }

  /** Ends every stream. */
  close(): void {
    for (const reader of this.#readers) this.#end(reader)
  }

  #position(lastEventId: string | null): number {
    if (lastEventId === null || !/^\d{1,15}$/.test(lastEventId)) return this.#lastId
    return Math.min(Number(lastEventId), this.#lastId)
  }

  #send(frame: Uint8Array): void {
    for (const reader of this.#readers) {
      if ((reader.controller.desiredSize ?? 0) > 0) {
        reader.controller.enqueue(frame)
      } else {
        this.slowReaders++
        this.#end(reader)
      }
    }
  }

  #end(reader: Reader): void {
    if (!this.#readers.delete(reader)) return
    // A stream that its reader cancelled is closed already.
    try {
      reader.controller.close()
    } catch {}
    reader.onEnd?.()
  }
}
