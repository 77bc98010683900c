import { Frame } from '../hub/frame.ts'
import type { Hub, SubscribeOptions } from '../hub/hub.ts'

/**
 * Messages kept for subscribers that reconnect. At either bound the oldest is dropped, and a subscriber that missed
 * it gets a `gap` and the whole graph.
 */
const MAX_KEPT_MESSAGES = 500
const MAX_KEPT_BYTES = 4_194_304
/**
 * Versions start at the time in milliseconds times this. A version could repeat only if an earlier run of the process had
 * published more than this many messages a millisecond.
 */
const VERSIONS_PER_MS = 1000

export interface FeedOptions {
  hub: Hub
  topic: string
  /** When the process started, in milliseconds since 1970. */
  startedAt: number
  /** The data of the `graph` event that brings a subscriber to this version. */
  snapshot: () => unknown
}

export interface FeedSubscription extends Pick<SubscribeOptions, 'signal' | 'client'> {
  /** ID of the last message that the subscriber received. */
  lastEventId: string | null
  gzip?: boolean
}

/** A topic with numbered messages, kept for a while for subscribers that reconnect. */
export class TopologyFeed {
  readonly #options: FeedOptions
  /** Without gaps, oldest first. */
  readonly #kept: { position: number; frame: Frame }[] = []
  #keptBytes = 0
  #version: number
  /** The whole graph as of the version, for all subscribers that start with it. */
  #whole: Frame | undefined

  constructor(options: FeedOptions) {
    this.#options = options
    this.#version = options.startedAt * VERSIONS_PER_MS
  }

  /** Position of the newest message; grows by one with each. */
  get version(): number {
    return this.#version
  }

  /** Publishes the message that `make` returns for the version. @returns its size in bytes */
  publish(event: string, make: (version: number) => unknown): number {
    const position = ++this.#version
    const frame = Frame.of({ event, data: JSON.stringify(make(position)), position })
    this.#whole = undefined
    this.#keep(position, frame)
    this.#options.hub.publish(this.#options.topic, frame)
    return frame.bytes.byteLength
  }

  /**
   * Answers a request with the feed. Without a `lastEventId` it starts with the whole `graph`. With one, it starts with
   * the missed messages or, if they aren't kept or another process numbered them, with a `gap` and the whole `graph`.
   */
  subscribe({ lastEventId, gzip, ...reader }: FeedSubscription): Response {
    const { hub, topic } = this.#options
    return hub.subscribe(topic, {
      ...reader,
      gzip,
      replay: async (send) => {
        const missed = lastEventId ? this.#since(lastEventId) : undefined
        for (const frame of missed ?? []) await send(frame)
        if (missed !== undefined) return
        if (lastEventId) await send(this.#gap(lastEventId))
        await send(this.#graph())
      },
    })
  }

  #graph(): Frame {
    const data = () => JSON.stringify(this.#options.snapshot())
    this.#whole ??= Frame.of({ event: 'graph', data: data(), position: this.#version })
    return this.#whole
  }

  /** The messages after the one with that ID; undefined if they aren't known. */
  #since(lastEventId: string): Frame[] | undefined {
    const last = position(lastEventId)
    const before = (this.#kept[0]?.position ?? this.#version + 1) - 1
    if (last === null || last < before || last > this.#version) return undefined
    return this.#kept.slice(last - before).map(({ frame }) => frame)
  }

  /** Position 0 is never kept: a reader that is cut off between the gap and the graph gets the gap again. */
  #gap(lastEventId: string): Frame {
    const gap = { from: position(lastEventId), to: this.#kept[0]?.position ?? this.#version }
    return Frame.of({ event: 'gap', data: JSON.stringify(gap), position: 0 })
  }

  #keep(position: number, frame: Frame): void {
    this.#kept.push({ position, frame })
    this.#keptBytes += frame.bytes.byteLength
    while (this.#kept.length > MAX_KEPT_MESSAGES || this.#keptBytes > MAX_KEPT_BYTES) {
      this.#keptBytes -= this.#kept.shift()?.frame.bytes.byteLength ?? 0
    }
  }
}

function position(lastEventId: string): number | null {
  const number = Number(lastEventId)
  return /^\d+$/.test(lastEventId) && Number.isSafeInteger(number) ? number : null
}
