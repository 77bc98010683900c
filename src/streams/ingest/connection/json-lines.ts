import type { LargeEvent, SseConfig } from '../../content/sse-parser.ts'
import type { Parser } from './http-wire.ts'

const BYTE_ORDER_MARK = '\uFEFF'
/** What a record of a JSON text sequence begins with. @see https://www.rfc-editor.org/rfc/rfc7464#section-2.2 */
const RECORD_SEPARATOR = '\u001E'
/** Of a line that is too long, at most this many times the limit is read. */
const MAX_READ_TIMES = 8
/** What may end a record. */
const END = new RegExp(`[\n${RECORD_SEPARATOR}]`, 'g')
const WHITESPACE = /^\s*$/

/**
 * Parses lines, each one an event, whether it is JSON or not. Blank lines are none. A record of a JSON text sequence may
 * span lines; it ends with the line that completes its JSON, or where the next one begins. A line that is too long is
 * reported with its size and hash, and costs itself alone.
 * @param idOf the ID of an event; undefined if it has none
 * @see https://github.com/ndjson/ndjson-spec
 */
export function jsonLines(config: SseConfig, idOf: (data: string) => string | undefined = noId): Parser {
  const { onEvent, onId, onLarge, maxChars } = config
  const lines = new Lines(
    maxChars,
    (line) => {
      if (WHITESPACE.test(line)) return
      const id = idOf(line)
      if (id !== undefined) onId?.(id)
      onEvent?.({ id, event: undefined, data: line })
    },
    onLarge,
  )
  return { feed: (chunk) => lines.feed(chunk), end: () => lines.end(), reset: () => lines.reset() }
}

function noId(): undefined {}

class Lines {
  readonly #maxChars: number
  readonly #found: (line: string) => void
  readonly #tooLong: SseConfig['onLarge']
  #isFirst = true
  /** Parts of the record so far, and their length. */
  #parts: string[] = []
  #chars = 0
  /** How deep the record is nested, if it belongs to a sequence. */
  #nesting: Nesting | undefined
  /** The hash of a record that is too long, and its bytes. */
  #hash: Bun.CryptoHasher | undefined
  #bytes = 0
  /** The record has no end, and what is left of it is skipped. */
  #isSkipped = false

  constructor(maxChars: number, found: (line: string) => void, tooLong: SseConfig['onLarge']) {
    this.#maxChars = maxChars
    this.#found = found
    this.#tooLong = tooLong
  }

  feed(chunk: string): void {
    if (chunk === '') return
    const text = this.#isFirst && chunk.startsWith(BYTE_ORDER_MARK) ? chunk.slice(1) : chunk
    this.#isFirst = false
    let from = 0
    for (const { 0: end, index } of text.matchAll(END)) {
      this.#add(text.slice(from, index))
      if (end === RECORD_SEPARATOR) this.#finish(new Nesting())
      else if (this.#nesting === undefined || this.#nesting.isClosed) this.#finish()
      else this.#add('\n')
      from = index + 1
    }
    this.#add(text.slice(from))
  }

  /** Nothing follows: what is left is a record, too, unless it is the beginning of one that broke off. */
  end(): void {
    const isPart = this.#hash === undefined && isUnfinished(this.#parts.join(''))
    if (!isPart && !this.#isSkipped) this.#finish()
  }

  reset(): void {
    if (this.#hash !== undefined) this.#report()
    this.#isFirst = true
    this.#begin(undefined)
  }

  #add(part: string): void {
    if (part === '') return
    this.#nesting?.read(part)
    if (this.#isSkipped) return
    this.#parts.push(part)
    this.#chars += part.length
    if (this.#chars <= this.#maxChars) return
    this.#hash ??= new Bun.CryptoHasher('sha256')
    for (const each of this.#parts) {
      this.#hash.update(each)
      this.#bytes += Buffer.byteLength(each)
    }
    this.#parts = []
    if (this.#chars <= MAX_READ_TIMES * this.#maxChars) return
    this.#isSkipped = true
    this.#report()
  }

  #report(hash?: string): void {
    const large: LargeEvent = { id: undefined, event: undefined, bytes: this.#bytes }
    this.#tooLong(hash === undefined ? large : { ...large, hash })
    this.#hash = undefined
  }

  /** @param next omitted for a line */
  #finish(next?: Nesting): void {
    if (this.#hash !== undefined) this.#report(this.#hash.digest('hex'))
    const line = this.#parts.join('').replace(/\r$/, '')
    this.#begin(next)
    this.#found(line)
  }

  #begin(nesting: Nesting | undefined): void {
    this.#parts = []
    this.#chars = 0
    this.#bytes = 0
    this.#hash = undefined
    this.#nesting = nesting
    this.#isSkipped = false
  }
}

/** Whether a text begins as a JSON document does, but isn't one. */
function isUnfinished(text: string): boolean {
  return /^\s*[[{"]/.test(text) && !isJson(text)
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** Whether a JSON text is complete, as far as it was read. */
class Nesting {
  #depth = 0
  #isString = false
  #isEscaped = false

  get isClosed(): boolean {
    return this.#depth <= 0 && !this.#isString
  }

  read(text: string): void {
    for (const character of text) {
      if (this.#isString) this.#inString(character)
      else if (character === '"') this.#isString = true
      else if (character === '{' || character === '[') this.#depth++
      else if (character === '}' || character === ']') this.#depth--
    }
  }

  #inString(character: string): void {
    if (this.#isEscaped) this.#isEscaped = false
    else if (character === '\\') this.#isEscaped = true
    else if (character === '"') this.#isString = false
  }
}
