import type { SseConfig } from './sse-parser.ts'

/** Of an event that is too large, at most this many times the limit is read. */
const MAX_READ_TIMES = 8
/** Longest field other than data, in characters: of longer ones, the rest is cut off. No ID or name of that length is used. */
const MAX_FIELD_CHARS = 16_384
/** Enough of a line to know its field, and whether a space follows the colon. */
const HEAD_CHARS = 'retry: '.length
const FIELDS = new Set(['data', 'event', 'id', 'retry'])
const LINE_END = /[\r\n]/g

/**
 * One long event, read as it arrives. Its data is kept up to the limit; of more, only size and hash.
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 */
export class LongEvent {
  readonly #config: SseConfig
  /** The beginning of a line whose field isn't known yet. */
  #head = ''
  #field: string | undefined
  #isAfterReturn = false
  /** The lines of data; undefined once they are too large to be kept. */
  #data: string[] | undefined = []
  #dataLines = 0
  #bytes = 0
  #hash: Bun.CryptoHasher | undefined
  #fields: Record<string, string | undefined> = {}
  /** Characters of data, and of all fields. */
  #dataChars = 0
  #chars = 0
  #isCut = false

  constructor(config: SseConfig) {
    this.#config = config
  }

  /** @returns where the event ends; undefined if it goes on */
  feed(text: string): number | undefined {
    let at = this.#isAfterReturn && text.startsWith('\n') ? 1 : 0
    this.#isAfterReturn = false
    while (at < text.length) {
      LINE_END.lastIndex = at
      const end = LINE_END.exec(text)?.index
      this.#take(text.slice(at, end))
      if (end === undefined || this.#isCut) break
      const isBlank = this.#endLine()
      at = end + 1
      if (text[end] === '\r' && text[at] === '\n') at++
      else this.#isAfterReturn = text[end] === '\r' && at === text.length
      if (!isBlank) continue
      this.#dispatch()
      return at
    }
    return undefined
  }

  /** The event won't be complete. */
  cut(): void {
    if (!this.#isCut && this.#isTooLarge()) this.#giveUp()
  }

  #giveUp(): void {
    this.#isCut = true
    this.#config.onLarge({ id: this.#id(), event: this.#fields.event, bytes: this.#bytes })
  }

  #isTooLarge(): boolean {
    return this.#dataChars > this.#config.maxChars
  }

  #take(piece: string): void {
    if (this.#isCut) return
    if (this.#field !== undefined) {
      this.#value(piece)
      return
    }
    const line = this.#head + piece
    const colon = line.indexOf(':')
    if (colon < 0 && line.length < HEAD_CHARS) this.#head = line
    else if (colon >= 0 && colon + 1 === line.length) this.#head = line
    else this.#begin(colon < 0 ? '' : line.slice(0, colon), line.slice(colon + 1).replace(/^ /, ''))
  }

  /** @returns whether the line was blank, which ends the event */
  #endLine(): boolean {
    if (this.#field === undefined) {
      if (this.#head === '') return true
      this.#begin(this.#head.replace(/:$/, ''), '')
    }
    this.#head = ''
    this.#field = undefined
    return false
  }

  /** The value of a field begins. */
  #begin(name: string, value: string): void {
    this.#field = FIELDS.has(name) ? name : 'other'
    this.#head = ''
    if (this.#field === 'data') {
      if (this.#dataLines++ > 0) this.#value('\n')
    } else this.#fields[this.#field] = ''
    this.#value(value)
  }

  #value(piece: string): void {
    if (this.#field === undefined || this.#field === 'other' || piece === '') return
    this.#chars += piece.length
    if (this.#field === 'data') this.#addData(piece)
    else this.#fields[this.#field] = `${this.#fields[this.#field]}${piece}`.slice(0, MAX_FIELD_CHARS)
    if (this.#chars > MAX_READ_TIMES * this.#config.maxChars) this.#giveUp()
  }

  #addData(piece: string): void {
    this.#dataChars += piece.length
    this.#bytes += Buffer.byteLength(piece)
    if (this.#data !== undefined && !this.#isTooLarge()) {
      this.#data.push(piece)
      return
    }
    if (this.#hash === undefined) {
      this.#hash = new Bun.CryptoHasher('sha256')
      for (const kept of this.#data ?? []) this.#hash.update(kept)
      this.#data = undefined
    }
    this.#hash.update(piece)
  }

  #id(): string | undefined {
    return this.#fields.id?.includes('\0') ? undefined : this.#fields.id
  }

  #dispatch(): void {
    const { onEvent, onId, onRetry, onLarge } = this.#config
    const { event, retry = '' } = this.#fields
    const id = this.#id()
    if (/^\d+$/.test(retry)) onRetry?.(Number(retry))
    if (this.#isTooLarge()) {
      const hash = this.#hash ?? new Bun.CryptoHasher('sha256').update((this.#data ?? []).join(''))
      onLarge({ id, event: event || undefined, bytes: this.#bytes, hash: hash.digest('hex') })
      return
    }
    if (id !== undefined) onId?.(id)
    if (this.#dataLines === 0) return
    onEvent?.({ id, event: event || undefined, data: (this.#data ?? []).join('') })
  }
}
