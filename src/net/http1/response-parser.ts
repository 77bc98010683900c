import { type BodyFraming, framingOf } from './framing.ts'
import { type Head, headOf, MalformedAnswer } from './head.ts'

/** Largest head with the informational ones before it, and largest trailer section, in bytes. */
const MAX_HEAD_BYTES = 262_144
/** Largest line with the size of a chunk and its extensions, in bytes. */
const MAX_SIZE_LINE_BYTES = 16_384
const LINE_FEED = 0x0a
const SWITCHING_PROTOCOLS = 101

/** What a response consists of, in order. `end` is the last, and isn't called for a response that breaks off. */
export interface ResponseHandlers {
  head(head: Head): void
  /** Part of the body, without its framing; a view of what was pushed. */
  body(bytes: Uint8Array): void
  end(): void
}

type State = 'head' | 'data' | 'size' | 'after-chunk' | 'trailers' | 'over'

/**
 * Parses one response from its bytes, in pieces of any size. As tolerant as browsers: lines may end with a bare line feed,
 * headers may be folded, spaces may surround names and sizes. That would be dangerous on a connection that several requests
 * share, because two readers could disagree about where a response ends; here nothing follows.
 * @see https://www.rfc-editor.org/rfc/rfc9112
 */
export class ResponseParser {
  readonly #isHeadOnly: boolean
  readonly #on: ResponseHandlers
  #state: State = 'head'
  /** The beginning of a line whose end hasn't arrived. */
  #line: Uint8Array[] = []
  #lineBytes = 0
  #lines: string[] = []
  /** Size of the lines of the head or the trailers so far. */
  #linesBytes = 0
  #framing: BodyFraming = 'none'
  /** What is left of the body or the chunk; infinite until the connection closes. */
  #left = 0

  /** @param method of the request: a response to HEAD has no body */
  constructor(method: string, on: ResponseHandlers) {
    this.#isHeadOnly = method === 'HEAD'
    this.#on = on
  }

  get isOver(): boolean {
    return this.#state === 'over'
  }

  /**
   * @returns how many of the bytes belong to the response
   * @throws MalformedAnswer
   */
  push(bytes: Uint8Array): number {
    let at = 0
    while (at < bytes.byteLength && this.#state !== 'over') {
      at = this.#state === 'data' ? this.#takeData(bytes, at) : this.#takeLine(bytes, at)
    }
    return at
  }

  /**
   * The connection was closed.
   * @returns whether the response is whole
   */
  close(): boolean {
    if (this.#state === 'data' && this.#framing === 'until-close') this.#finish()
    return this.#state === 'over'
  }

  #takeData(bytes: Uint8Array, from: number): number {
    const to = Math.min(bytes.byteLength, from + this.#left)
    this.#left -= to - from
    this.#on.body(bytes.subarray(from, to))
    if (this.#left > 0) return to
    if (this.#framing === 'chunked') this.#state = 'after-chunk'
    else this.#finish()
    return to
  }

  #takeLine(bytes: Uint8Array, from: number): number {
    const end = bytes.indexOf(LINE_FEED, from)
    const part = bytes.subarray(from, end < 0 ? undefined : end)
    this.#lineBytes += part.byteLength
    const most = this.#state === 'size' ? MAX_SIZE_LINE_BYTES : MAX_HEAD_BYTES
    if (this.#linesBytes + this.#lineBytes > most)
      throw new MalformedAnswer('its head or a chunk is too large')
    // A copy: the view's buffer may be reused.
    this.#line.push(end < 0 ? part.slice() : part)
    if (end < 0) return bytes.byteLength
    const line = Buffer.concat(this.#line).toString('latin1').replace(/\r$/, '')
    this.#line = []
    this.#linesBytes += this.#state === 'size' ? 0 : this.#lineBytes + 1
    this.#lineBytes = 0
    this.#readLine(line)
    return end + 1
  }

  #readLine(line: string): void {
    if (this.#state === 'head') this.#readHeadLine(line)
    else if (this.#state === 'size') this.#readSize(line)
    else if (this.#state === 'after-chunk') {
      if (line !== '') throw new MalformedAnswer('a chunk is longer than its size')
      this.#expectSize()
    } else if (line === '') this.#finish()
  }

  #readHeadLine(line: string): void {
    if (line !== '') {
      this.#lines.push(line)
      return
    }
    // Some servers begin with an empty line.
    if (this.#lines.length === 0) return
    const head = headOf(this.#lines)
    this.#lines = []
    if (head.status < 200 && head.status !== SWITCHING_PROTOCOLS) return
    this.#linesBytes = 0
    const { framing, length } = framingOf(head, this.#isHeadOnly)
    this.#framing = framing
    this.#left = length
    this.#on.head(head)
    if (framing === 'chunked') this.#expectSize()
    else if (length > 0) this.#state = 'data'
    else this.#finish()
  }

  #expectSize(): void {
    this.#linesBytes = 0
    this.#state = 'size'
  }

  /** @see https://www.rfc-editor.org/rfc/rfc9112#section-7.1 */
  #readSize(line: string): void {
    const [, digits] =
      /^[ \t]*([0-9a-f]{1,13})[ \t]*(?:;.*)?$/i.exec(line.replace(/^[ \t]*0+(?=[0-9a-f])/i, '')) ?? []
    if (digits === undefined) throw new MalformedAnswer('the size of a chunk is invalid')
    this.#left = Number.parseInt(digits, 16)
    this.#state = this.#left > 0 ? 'data' : 'trailers'
  }

  #finish(): void {
    this.#state = 'over'
    this.#on.end()
  }
}
