import { constants, crc32, deflateRawSync } from 'node:zlib'
import { encodeMessage, type SseMessage } from '../core/sse.ts'

/** A message on a topic. `position` orders it, and is its SSE `id` unless it has its own. */
export interface TopicMessage {
  event?: string
  data: string
  /**
   * Increases with every message of a topic: an entry's `seq`, a graph's version. Omit it for a message outside of
   * that order, which is always sent.
   */
  position?: number
  id?: string
}

/** Encoded messages, shared by all subscribers. */
export class Frame {
  readonly #bytes: Uint8Array<ArrayBuffer>
  #deflated: Uint8Array<ArrayBuffer> | undefined

  constructor(
    /** Position of its last message that has one. */
    readonly position: number | undefined,
    bytes: Uint8Array<ArrayBuffer>,
  ) {
    this.#bytes = bytes
  }

  /** One frame of one or more messages that belong together: a reader gets all of them or none. */
  static of(...messages: readonly [TopicMessage, ...TopicMessage[]]): Frame {
    const encoded = messages.map(encode)
    const positions = messages.flatMap(({ position }) => position ?? [])
    const position = positions.length > 0 ? Math.max(...positions) : undefined
    return new Frame(position, encoded.length === 1 ? (encoded[0] as Encoded) : Buffer.concat(encoded))
  }

  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes
  }

  /**
   * The frame as self-contained DEFLATE blocks that end at a byte boundary, so that the same bytes fit into every
   * compressed stream and are flushed at once. Made on first use.
   * @see https://www.rfc-editor.org/rfc/rfc1951 section 3.2.4 (the empty block at the end of a full flush)
   */
  get deflated(): Uint8Array<ArrayBuffer> {
    this.#deflated ??= deflateRawSync(this.#bytes, { finishFlush: constants.Z_FULL_FLUSH })
    return this.#deflated
  }
}

type Encoded = Uint8Array<ArrayBuffer>

function encode({ event, data, position, id }: TopicMessage): Encoded {
  const message: SseMessage = { data }
  if (event !== undefined) message.event = event
  const itsId = id ?? position?.toString()
  if (itsId !== undefined) message.id = itsId
  return encodeMessage(message)
}

/** Deflate, no name, no time, unknown system. */
const GZIP_HEADER = new Uint8Array([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255])
/** An empty last block: the end of a DEFLATE stream. */
const LAST_BLOCK = new Uint8Array([3, 0])

/**
 * The gzip stream of one reader, assembled from frames that are already compressed.
 * @see https://www.rfc-editor.org/rfc/rfc1952
 */
export class GzipStream {
  #crc = 0
  #size = 0

  header(): Encoded {
    return GZIP_HEADER
  }

  add(frame: Frame): Encoded {
    this.#crc = crc32(frame.bytes, this.#crc)
    this.#size = (this.#size + frame.bytes.byteLength) >>> 0
    return frame.deflated
  }

  trailer(): Encoded {
    const trailer = new Uint8Array(10)
    trailer.set(LAST_BLOCK)
    const view = new DataView(trailer.buffer)
    view.setUint32(2, this.#crc, true)
    view.setUint32(6, this.#size, true)
    return trailer
  }
}

/** Whether the client accepts gzip. */
export function acceptsGzip(headers: Headers): boolean {
  return acceptsCoding(headers, 'gzip')
}

/** Whether the client accepts a content coding (RFC 9110, 12.5.3). */
export function acceptsCoding(headers: Headers, wanted: string): boolean {
  const accepted = headers.get('accept-encoding') ?? ''
  return accepted.split(',').some((part) => {
    const [coding, ...parameters] = part.split(';').map((each) => each.trim().toLowerCase())
    return coding === wanted && !parameters.some((each) => /^q=0(\.0*)?$/.test(each))
  })
}
