import { encodeComment, encodeRetry, SSE_HEADERS } from '../../core/sse.ts'
import type { FaultHolder } from '../faults/faults.ts'
import { cut, type Frame } from '../faults/sse-faults.ts'
import type { Random } from '../random.ts'
import { MAX_UNREAD_BYTES, Wire } from './wire.ts'

/** Readers of one service at a time. At the bound the next one is refused. */
export const MAX_READERS = 100

const HEARTBEAT = encodeComment('heartbeat')

/** What readers are told: frames by their number. */
export interface Story {
  /** Of the newest frame there is, and of the oldest that can still be had. */
  readonly newest: number
  readonly oldest: number
  frame(number: number): Frame
}

/** What can be done once to the connections that are open: end them, end them within an event, break them off. */
export const ACTIONS = ['end', 'cut', 'drop'] as const
export type Action = (typeof ACTIONS)[number]

export interface ReadersOptions {
  story: Story
  faults: FaultHolder
  /** What a connection's faults are drawn from, by its number from 1 on. */
  randomOf: (connection: number) => Random
  /** How long a reader should wait before it comes back, in milliseconds. */
  retryMs: number
  /** Whether a reader that leaves too much unread is waited for; else it is closed, and misses what comes meanwhile. */
  isPatient: boolean
  /** Told of every number right before it goes to the connection that was opened last. */
  onSent?: ((number: number) => void) | undefined
}

export interface Opening {
  /** What the stream begins with. */
  greeting: Frame[]
  /** The number that it goes on with. */
  next: number
  onEnd?: (() => void) | undefined
}

interface Reader {
  wire: Wire
  greeting: Frame[]
  next: number
}

/** Whoever reads the events of one service, each over a connection that misbehaves as the faults say. */
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

  /** Answers with the stream; `undefined` when there are too many readers. */
  open({ greeting, next, onEnd }: Opening): Response | undefined {
    if (this.#readers.size >= MAX_READERS) return undefined
    let reader: Reader
    const body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          reader = { wire: this.#wire(controller, () => this.#left(reader, onEnd)), greeting, next }
          this.#readers.add(reader)
          this.#newest = reader
          // At once, whatever the faults: headers only leave with the first bytes.
          reader.wire.write({ bytes: encodeRetry(this.#options.retryMs) })
          this.#pump(reader)
        },
        pull: async () => {
          // It may be called from within a write, and what is written then must not come in between.
          await Promise.resolve()
          this.#pump(reader)
        },
        cancel: () => reader.wire.end(),
      },
      new ByteLengthQueuingStrategy({ highWaterMark: MAX_UNREAD_BYTES }),
    )
    return new Response(body, { headers: SSE_HEADERS })
  }

  /** Sends what there is to send. Never waits. */
  tell(): void {
    for (const reader of this.#readers) this.#pump(reader)
  }

  /** Keeps proxies from closing an idle stream, and finds out which readers are gone. */
  heartbeat(): void {
    for (const reader of this.#readers) reader.wire.sendPlain(HEARTBEAT)
  }

  /** @returns how many connections it was done to */
  act(action: Action): number {
    const readers = [...this.#readers]
    for (const { wire, next } of readers) {
      if (action === 'cut') wire.write(cut(this.#options.story.frame(next), 1 / 2))
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

  #wire(controller: ReadableStreamDefaultController<Uint8Array>, onEnd: () => void): Wire {
    const { faults, randomOf, onSent } = this.#options
    const wire: Wire = new Wire({
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

  #next(reader: Reader): Frame | undefined {
    const { story } = this.#options
    const number = Math.max(reader.next, story.oldest)
    if (number > story.newest) return undefined
    reader.next = number + 1
    return story.frame(number)
  }

  /** Faults of the answer itself end the streams that are open: their readers come back into it. */
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
