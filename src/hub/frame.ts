import { constants, crc32, deflateRawSync } from 'node:zlib'
import { encodeMessage, type SseMessage } from '../core/sse.ts'

/** A message on a topic. `position` orders it, and becomes its SSE `id` unless it has one of its own. */
export interface TopicMessage {
  event?: string
  data: string
  /**
   * Grows with every message of a topic: an entry's `seq`, a graph's version. Left out for one outside of their
   * order, which is sent whatever the subscriber has.
   */
  position?: number
  id?: string
}

/** Encoded messages, once for all who are sent them. */
export class Frame {
  readonly #bytes: Uint8Array<ArrayBuffer>
  #deflated: Uint8Array<ArrayBuffer> | undefined

  constructor(
    /** Of the last of its messages that have one. */
    readonly position: number | undefined,
    bytes: Uint8Array<ArrayBuffer>,
  ) {
    this.#bytes = bytes
  }

  /** One frame of one or more messages that belong together: a reader is sent all of them or none. */
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
   * The frame as blocks of a DEFLATE stream that refer to nothing before them and end at a byte, so that the same
   * ones go into every compressed stream, and out at once. Made when first asked for.
   * @see https://www.rfc-editor.org/rfc/rfc1951 section 3.2.4 (the empty block that a full flush ends with)
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
 * One reader's gzip stream, put together from frames that are compressed already.
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

/** Whether a request's sender takes gzip. */
export function acceptsGzip(headers: Headers): boolean {
  return acceptsCoding(headers, 'gzip')
}

/** Whether a request's sender takes bodies in a content coding (RFC 9110, 12.5.3). */
export function acceptsCoding(headers: Headers, wanted: string): boolean {
  const accepted = headers.get('accept-encoding') ?? ''
  return accepted.split(',').some((part) => {
    const [coding, ...parameters] = part.split(';').map((each) => each.trim().toLowerCase())
    return coding === wanted && !parameters.some((each) => /^q=0(\.0*)?$/.test(each))
  })
}
