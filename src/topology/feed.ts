import type { TopicMessage } from '../hub/frame.ts'
import type { Hub } from '../hub/hub.ts'

/** What is kept for subscribers that come back. At either bound the oldest goes, and who missed it gets a `gap` and the whole graph. */
const MAX_KEPT_MESSAGES = 500
const MAX_KEPT_CHARS = 4_194_304
/**
 * Versions start at the time in milliseconds times this. An earlier life of the process would have had to publish
 * more than this many messages a millisecond to have given out one of ours.
 */
const VERSIONS_PER_MS = 1000

export interface FeedOptions {
  hub: Hub
  topic: string
  /** When this life of the process began, in milliseconds since 1970. */
  startedAt: number
  /** The data of the `graph` event that brings a subscriber up to now. */
  snapshot: () => unknown
}

/** A topic whose messages are numbered, and kept a while for subscribers that come back. */
export class Feed {
  readonly #options: FeedOptions
  /** Without holes, oldest first. */
  readonly #kept: TopicMessage[] = []
  #keptChars = 0
  #version: number

  constructor(options: FeedOptions) {
    this.#options = options
    this.#version = options.startedAt * VERSIONS_PER_MS
  }

  /** Position of the newest message; grows by one with each. */
  get version(): number {
    return this.#version
  }

  publish(event: string, value: unknown): void {
    this.#version++
    const message = { event, data: JSON.stringify(value), position: this.#version }
    this.#keep(message)
    this.#options.hub.publish(this.#options.topic, message)
  }

  /**
   * Answers a request with the feed. Without `lastEventId` it starts with the whole `graph`; with one, with what
   * was missed since or, where that isn't kept or another process numbered it, with a `gap` and the whole `graph`.
   */
  subscribe(signal: AbortSignal, lastEventId: string | null): Response {
    const { hub, topic, snapshot } = this.#options
    return hub.subscribe(topic, {
      signal,
      replay: async (send) => {
        const missed = lastEventId ? this.#since(lastEventId) : undefined
        for (const message of missed ?? []) await send(message)
        if (missed !== undefined) return
        if (lastEventId) await send(this.#gap(lastEventId))
        await send({ event: 'graph', data: JSON.stringify(snapshot()), position: this.#version })
      },
    })
  }

  /** What was published after the message with that id; undefined when it can't be told. */
  #since(lastEventId: string): TopicMessage[] | undefined {
    const last = position(lastEventId)
    const before = (this.#kept[0]?.position ?? this.#version + 1) - 1
    if (last === null || last < before || last > this.#version) return undefined
    return this.#kept.slice(last - before)
  }

  /** Position 0 is never kept: a reader that is cut off between the gap and the graph is told of the gap again. */
  #gap(lastEventId: string): TopicMessage {
    const gap = { from: position(lastEventId), to: this.#kept[0]?.position ?? this.#version }
    return { event: 'gap', data: JSON.stringify(gap), position: 0 }
  }

  #keep(message: TopicMessage): void {
    this.#kept.push(message)
    this.#keptChars += message.data.length
    while (this.#kept.length > MAX_KEPT_MESSAGES || this.#keptChars > MAX_KEPT_CHARS) {
      this.#keptChars -= this.#kept.shift()?.data.length ?? 0
    }
  }
}

function position(lastEventId: string): number | null {
  const number = Number(lastEventId)
  return /^\d+$/.test(lastEventId) && Number.isSafeInteger(number) ? number : null
}
