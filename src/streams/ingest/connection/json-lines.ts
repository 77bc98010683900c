import { ParseError, type ParserConfig } from 'eventsource-parser'
import type { Parser } from './http-wire.ts'

const BYTE_ORDER_MARK = '\uFEFF'
/** What a record of a JSON text sequence begins with. @see https://www.rfc-editor.org/rfc/rfc7464#section-2.2 */
const RECORD_SEPARATOR = '\u001E'
/** What may end a record. */
const END = new RegExp(`[\n${RECORD_SEPARATOR}]`, 'g')
const WHITESPACE = /^\s*$/

/**
 * Parses lines, each one an event, whether it is JSON or not. Blank lines are none. A record of a JSON text sequence may
 * span lines; it ends with the line that completes its JSON, or where the next one begins. A line that is too long is
 * reported and skipped.
 * @param idOf the ID of an event; undefined if it has none
 * @see https://github.com/ndjson/ndjson-spec
 */
export function jsonLines(config: ParserConfig, idOf: (data: string) => string | undefined = noId): Parser {
  const { onEvent, onId, onError, maxBufferSize = Number.POSITIVE_INFINITY } = config
  const lines = new Lines(
    maxBufferSize,
    (line) => {
      if (WHITESPACE.test(line)) return
      const id = idOf(line)
      if (id !== undefined) onId?.(id)
      onEvent?.({ id, event: undefined, data: line })
    },
    () => onError?.(new ParseError('A line is too long', { type: 'max-buffer-size-exceeded' })),
  )
  return { feed: (chunk) => lines.feed(chunk), reset: () => lines.reset() }
}

function noId(): undefined {}

class Lines {
  readonly #maxChars: number
  readonly #found: (line: string) => void
  readonly #tooLong: () => void
  #isFirst = true
  /** Parts of the record so far, and their length. */
  #parts: string[] = []
  #chars = 0
  /** How deep the record is nested, if it belongs to a sequence. */
  #nesting: Nesting | undefined
  /** The record is too long, and what is left of it is skipped. */
  #isSkipped = false

  constructor(maxChars: number, found: (line: string) => void, tooLong: () => void) {
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

  reset(): void {
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
    this.#parts = []
    this.#isSkipped = true
    this.#tooLong()
  }

  /** @param next omitted for a line */
  #finish(next?: Nesting): void {
    const line = this.#parts.join('').replace(/\r$/, '')
    this.#begin(next)
    this.#found(line)
  }

  #begin(nesting: Nesting | undefined): void {
    this.#parts = []
    this.#chars = 0
    this.#nesting = nesting
    this.#isSkipped = false
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
