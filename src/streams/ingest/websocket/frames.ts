import { constants, inflateRaw } from 'node:zlib'
import { UpstreamError } from '../upstream.ts'
import { isCloseCode, NO_CODE } from './close-codes.ts'

/** Opcodes. @see https://www.rfc-editor.org/rfc/rfc6455#section-5.2 */
export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const
const OPCODES: ReadonlySet<number> = new Set(Object.values(OPCODE))
const FIN = 0x80
const COMPRESSED = 0x40
const RESERVED = 0x30
const MASKED = 0x80
const MASK_BYTES = 4
const MAX_CONTROL_BYTES = 125
/** Longest header of a frame that a server sends. */
const MAX_HEAD_BYTES = 10
const [LENGTH_16, LENGTH_64] = [126, 127]
/** What a compressed message was sent without. @see https://www.rfc-editor.org/rfc/rfc7692#section-7.2.2 */
const DEFLATE_TAIL = Buffer.from([0x00, 0x00, 0xff, 0xff])

/** A whole message, or a control frame. */
export type Message =
  | { kind: 'text'; text: string; bytes: number }
  | { kind: 'binary'; data: Buffer }
  | { kind: 'ping' | 'pong'; data: Buffer }
  | { kind: 'close'; code: number; reason: string }

interface Frame {
  isFinal: boolean
  opcode: number
  /** Bytes of the payload that haven't arrived. */
  left: number
  /** What its payload is added to. */
  message: Incoming
}

/** A message, or a control frame, as far as it has arrived. */
interface Incoming {
  opcode: number
  isCompressed: boolean
  /** What was received of it; of one that is too large, nothing. */
  payload: Growing
  /** Its size, as far as the headers of its frames said. */
  announcedBytes: number
}

/** A message as received, before it is decompressed. */
export interface Received {
  opcode: number
  isCompressed: boolean
  payload: Buffer
  /** Set if it is part of a message that is too large to be kept: whether the last, and the message's size as far as frames said. */
  part?: { isLast: boolean; announcedBytes: number }
}

/**
 * Reads the frames that a server sends, up to whole messages.
 * @see https://www.rfc-editor.org/rfc/rfc6455#section-5
 */
export class FrameReader {
  readonly #maxBytes: number
  readonly #mayCompress: boolean
  /** The start of a frame whose header isn't complete. */
  #head: Buffer = Buffer.alloc(0)
  #frame: Frame | undefined
  /** A message whose last fragment hasn't arrived. */
  #fragmented: Incoming | undefined

  /** @param maxBytes largest message, as received */
  constructor(maxBytes: number, mayCompress: boolean) {
    this.#maxBytes = maxBytes
    this.#mayCompress = mayCompress
  }

  /** Whether the last bytes ended a message. */
  get isWhole(): boolean {
    return this.#frame === undefined && this.#fragmented === undefined && this.#head.byteLength === 0
  }

  /** @throws UpstreamError for what isn't allowed; messages before it are found first */
  *read(chunk: Buffer): Generator<Received> {
    let rest = chunk
    while (rest.byteLength > 0) {
      if (this.#frame === undefined) {
        const head = Buffer.concat([this.#head, rest.subarray(0, MAX_HEAD_BYTES)])
        const headBytes = headBytesOf(head)
        if (head.byteLength < headBytes) {
          this.#head = head
          return
        }
        rest = rest.subarray(headBytes - this.#head.byteLength)
        this.#head = Buffer.alloc(0)
        this.#frame = this.#frameOf(head, headBytes)
      }
      const part = rest.subarray(0, this.#frame.left)
      rest = rest.subarray(part.byteLength)
      this.#frame.left -= part.byteLength
      const { isFinal, left, message } = this.#frame
      if (left === 0) this.#frame = undefined
      const { opcode, isCompressed, payload, announcedBytes } = message
      const isLast = isFinal && left === 0
      payload.append(part)
      if (announcedBytes > this.#maxBytes) {
        yield { opcode, isCompressed, payload: payload.take(), part: { isLast, announcedBytes } }
      } else if (isLast) yield { opcode, isCompressed, payload: payload.take() }
    }
  }

  #frameOf(head: Buffer, headBytes: number): Frame {
    const [first = 0, second = 0] = head
    const isFinal = (first & FIN) !== 0
    const isCompressed = (first & COMPRESSED) !== 0
    const opcode = first & 0x0f
    const left = lengthOf(head, headBytes)
    if ((first & RESERVED) !== 0 || !OPCODES.has(opcode)) throw badFrame('it has an unknown type')
    if ((second & MASKED) !== 0) throw badFrame('it is masked')
    if (opcode >= OPCODE.close) {
      if (!isFinal || isCompressed || left > MAX_CONTROL_BYTES) throw badFrame('a control frame is too long')
      return { isFinal, opcode, left, message: incoming(opcode, isCompressed) }
    }
    if (!this.#continues(opcode, isCompressed)) throw badFrame('its fragments are out of order')
    const message = this.#fragmented ?? incoming(opcode, isCompressed)
    message.announcedBytes += left
    this.#fragmented = isFinal ? undefined : message
    return { isFinal, opcode, left, message }
  }

  /** Whether a data frame may follow the one before. */
  #continues(opcode: number, isCompressed: boolean): boolean {
    if (opcode === OPCODE.continuation) return this.#fragmented !== undefined && !isCompressed
    return this.#fragmented === undefined && (!isCompressed || this.#mayCompress)
  }
}

/** Bytes that are added to, in memory of at most twice their size, however small the parts. */
class Growing {
  #buffer: Buffer = Buffer.alloc(0)
  #bytes = 0

  /** All of them; it is empty then. */
  take(): Buffer {
    const whole = this.#buffer.subarray(0, this.#bytes)
    this.#buffer = Buffer.alloc(0)
    this.#bytes = 0
    return whole
  }

  append(part: Buffer): void {
    const bytes = this.#bytes + part.byteLength
    if (bytes > this.#buffer.byteLength) {
      const larger = Buffer.alloc(Math.max(bytes, 2 * this.#bytes))
      this.#buffer.copy(larger, 0, 0, this.#bytes)
      this.#buffer = larger
    }
    part.copy(this.#buffer, this.#bytes)
    this.#bytes = bytes
  }
}

function incoming(opcode: number, isCompressed: boolean): Incoming {
  return { opcode, isCompressed, payload: new Growing(), announcedBytes: 0 }
}

/**
 * The message in what was received.
 * @param maxBytes largest message after decompression
 * @returns undefined if it is too large after decompression
 * @throws UpstreamError if it can't be decompressed, or is text but not UTF-8
 */
export async function messageIn(received: Received, maxBytes: number): Promise<Message | undefined> {
  const { opcode, isCompressed, payload } = received
  const data = isCompressed ? await inflated(payload, maxBytes) : payload
  if (data === undefined) return undefined
  if (opcode === OPCODE.text) return { kind: 'text', text: utf8In(data), bytes: data.byteLength }
  if (opcode === OPCODE.binary) return { kind: 'binary', data }
  if (opcode === OPCODE.close) return closeIn(data)
  return { kind: opcode === OPCODE.ping ? 'ping' : 'pong', data }
}

/** A frame as a client sends it: whole, and masked. */
export function encodeFrame(opcode: number, payload: string | Buffer): Buffer {
  const data = Buffer.from(payload as string)
  const extra = data.byteLength > 0xffff ? 8 : data.byteLength > MAX_CONTROL_BYTES ? 2 : 0
  const head = Buffer.alloc(2 + extra + MASK_BYTES)
  head[0] = FIN | opcode
  head[1] = MASKED | (extra === 8 ? LENGTH_64 : extra === 2 ? LENGTH_16 : data.byteLength)
  if (extra === 2) head.writeUInt16BE(data.byteLength, 2)
  if (extra === 8) head.writeBigUInt64BE(BigInt(data.byteLength), 2)
  const mask = crypto.getRandomValues(head.subarray(2 + extra))
  for (let index = 0; index < data.byteLength; index++) {
    data[index] = (data[index] as number) ^ (mask[index % MASK_BYTES] as number)
  }
  return Buffer.concat([head, data])
}

/** The payload of a close frame. */
export function closePayload(code: number): Buffer {
  const payload = Buffer.alloc(2)
  payload.writeUInt16BE(code)
  return payload
}

/** Bytes of a frame's header, as far as it is known. */
function headBytesOf(head: Buffer): number {
  const length = (head[1] ?? 0) & ~MASKED
  return 2 + (length === LENGTH_64 ? 8 : length === LENGTH_16 ? 2 : 0)
}

function lengthOf(head: Buffer, headBytes: number): number {
  if (headBytes === 2) return (head[1] as number) & ~MASKED
  return headBytes === 4 ? head.readUInt16BE(2) : Number(head.readBigUInt64BE(2))
}

/** @returns undefined if it is larger */
function inflated(payload: Buffer, maxBytes: number): Promise<Buffer | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer | undefined>()
  const options = { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: maxBytes }
  inflateRaw(Buffer.concat([payload, DEFLATE_TAIL]), options, (error, data) => {
    if (error === null) resolve(data)
    else if ((error as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE') resolve(undefined)
    else reject(badFrame("it can't be decompressed"))
  })
  return promise
}

function utf8In(data: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(data)
  } catch {
    throw badFrame("its text isn't UTF-8")
  }
}

function closeIn(data: Buffer): Message {
  if (data.byteLength === 0) return { kind: 'close', code: NO_CODE, reason: '' }
  const code = data.byteLength === 1 ? 0 : data.readUInt16BE(0)
  if (!isCloseCode(code)) throw badFrame('its close code is invalid')
  return { kind: 'close', code, reason: utf8In(data.subarray(2)) }
}

export function badFrame(why: string): UpstreamError {
  return new UpstreamError('bad_frame', `The upstream sent an invalid WebSocket frame: ${why}.`)
}
