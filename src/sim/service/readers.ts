import { encodeComment, encodeRetry, SSE_HEADERS } from '../../core/sse.ts'
import type { FaultHolder } from '../faults/faults.ts'
import { cutFrame, type StreamFrame } from '../faults/sse-faults.ts'
import type { Random } from '../random.ts'
import { FaultyWire, MAX_UNREAD_BYTES } from './wire.ts'

/** Maximum concurrent readers of one service; further ones are refused. */
export const MAX_READERS = 100

const HEARTBEAT = encodeComment('heartbeat')

/** Frames for readers, by number. */
export interface Story {
  /** Numbers of the newest frame, and of the oldest one still available. */
  readonly newest: number
  readonly oldest: number
  frame(number: number): StreamFrame
}

/** One-time faults for open connections: end them, end them within an event, reset them. */
export const ACTIONS = ['end', 'cut', 'drop'] as const
export type Action = (typeof ACTIONS)[number]

export interface ReadersOptions {
  story: Story
  faults: FaultHolder
  /** The random numbers for a connection's faults, by its number from 1. */
  randomOf: (connection: number) => Random
  /** How long a reader should wait before it reconnects, in milliseconds. */
  retryMs: number
  /** Whether to wait for a reader that leaves too much unread; otherwise it is closed and misses what follows. */
  isPatient: boolean
  /** Called with every number right before it is sent on the newest open connection. */
  onSent?: ((number: number) => void) | undefined
}

export interface Opening {
  /** What the stream begins with. */
  greeting: StreamFrame[]
  /** The number it continues with. */
  next: number
  onEnd?: (() => void) | undefined
}

interface Reader {
  wire: FaultyWire
  greeting: StreamFrame[]
  next: number
}

/** The readers of one service's events, each on a connection with the current faults. */
export class Readers {
  /** How many were closed because they didn't read. */
  slow = 0
  readonly #options: ReadersOptions
  readonly #readers = new Set<Reader>()
  readonly #stopListening: () => void
  #opened = 0
  #newest: Reader | undefined

  constructor(options: ReadersOptions) {
    this.#options = options
    this.#stopListening = options.faults.onChange(() => this.#faultsChanged())
  }

  get count(): number {
    return this.#readers.size
  }

  /** Responds with the stream; `undefined` if there are too many readers. */
  open({ greeting, next, onEnd }: Opening): Response | undefined {
    if (this.#readers.size >= MAX_READERS) return undefined
    let reader: Reader
    const body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          reader = { wire: this.#wire(controller, () => this.#left(reader, onEnd)), greeting, next }
          this.#readers.add(reader)
          this.#newest = reader
          // At once, whatever the faults: headers are only sent with the first bytes.
          reader.wire.write({ bytes: encodeRetry(this.#options.retryMs) })
          this.#pump(reader)
        },
        pull: async () => {
          // It may be called during a write, and must not write in between.
          await Promise.resolve()
          this.#pump(reader)
        },
        cancel: () => reader.wire.end(),
      },
      new ByteLengthQueuingStrategy({ highWaterMark: MAX_UNREAD_BYTES }),
    )
    return new Response(body, { headers: SSE_HEADERS })
  }

  /** Sends pending frames. Never waits. */
  tell(): void {
    for (const reader of this.#readers) this.#pump(reader)
  }

  /** Keeps proxies from closing idle streams, and detects readers that are gone. */
  heartbeat(): void {
    for (const reader of this.#readers) reader.wire.sendPlain(HEARTBEAT)
  }

  /** @returns the number of connections affected */
  act(action: Action): number {
    const readers = [...this.#readers]
    for (const { wire, next } of readers) {
      if (action === 'cut') wire.write(cutFrame(this.#options.story.frame(next), 1 / 2))
      if (action === 'drop') wire.drop()
      else wire.end()
    }
    return readers.length
  }

  /** Ends every stream. */
  close(): void {
    this.#stopListening()
    this.act('end')
  }

  #wire(controller: ReadableStreamDefaultController<Uint8Array>, onEnd: () => void): FaultyWire {
    const { faults, randomOf, onSent } = this.#options
    const wire: FaultyWire = new FaultyWire({
      controller,
      faults,
      random: randomOf(++this.#opened),
      onSent: (number) => {
        if (this.#newest === undefined || this.#newest.wire === wire) onSent?.(number)
      },
      onEnd,
    })
    return wire
  }

  #left(reader: Reader, onEnd: (() => void) | undefined): void {
    this.#readers.delete(reader)
    if (this.#newest === reader) this.#newest = [...this.#readers].at(-1)
    onEnd?.()
  }

  #pump(reader: Reader): void {
    const { wire } = reader
    for (; wire.isReady; ) {
      const frame = reader.greeting.shift() ?? this.#next(reader)
      if (frame === undefined) return
      wire.send(frame)
    }
    if (this.#options.isPatient || !wire.isStuck || wire.isOver || reader.next > this.#options.story.newest)
      return
    this.slow++
    wire.end()
  }

  #next(reader: Reader): StreamFrame | undefined {
    const { story } = this.#options
    const number = Math.max(reader.next, story.oldest)
    if (number > story.newest) return undefined
    reader.next = number + 1
    return story.frame(number)
  }

  /** Faults of the response itself end the open streams, so that readers reconnect into the fault. */
  #faultsChanged(): void {
    const { reset, sse } = this.#options.faults.current
    for (const reader of [...this.#readers]) {
      if (reset) reader.wire.drop()
      else if (sse?.halfOpen || sse?.json || sse?.status !== undefined) reader.wire.end()
      else {
        reader.wire.faultsChanged()
        this.#pump(reader)
      }
    }
  }
}
