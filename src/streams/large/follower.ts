import { parseJson } from '../../core/documents/json.ts'
import { TooMuch } from '../../core/documents/work.ts'
import { isXml, parseSelection, type Selection } from '../content/selection.ts'
import { nothingAt, type Payload, payloadOf, readPayload, unreadable } from '../documents/payload.ts'
import { advance, type Differ, type DocumentStep } from '../ingest/follow-document.ts'
import type { Followed, FollowedText, Stream } from '../ingest/run.ts'
import { type DocumentRefusal, LARGE_CHARS, type LargeDocuments, STEPS_HERE } from './documents.ts'

/** The response to a poll. */
export interface Body {
  /** The caller must not use them afterward. */
  bytes: Uint8Array
  /** The same as text, if already decoded. */
  text: string | undefined
}

/**
 * Advances from one polled document to the next. Small ones are compared on the main thread; large ones, and those
 * that would block it for too long, by a worker.
 */
export class DocumentFollower {
  readonly #payload: Payload
  readonly #arrayKeys: readonly string[]
  readonly #selection: Selection | undefined
  readonly #large: LargeDocuments
  readonly #differ: Differ | undefined
  /** Whether the last two documents were too hard to compare here: the next ones will be similar. */
  #isHard = false

  constructor(stream: Stream, { large, differ }: { large: LargeDocuments; differ?: Differ }) {
    this.#payload = payloadOf(stream)
    this.#arrayKeys = stream.arrayKeys
    this.#selection = parseSelection(stream.select)
    this.#large = large
    this.#differ = differ
  }

  /** @throws the signal's reason if it aborts first */
  async advance(
    last: Followed | FollowedText | undefined,
    body: Body,
    signal: AbortSignal,
  ): Promise<DocumentStep<Followed | FollowedText> | DocumentRefusal> {
    const isLarge = body.bytes.byteLength > LARGE_CHARS || isLargeText(last)
    const step = isLarge || this.#isHard ? undefined : this.#advanceHere(asDocument(last), body)
    if (step !== undefined) return step
    const how = { payload: this.#payload, arrayKeys: this.#arrayKeys }
    const large = await this.#large.advance(last, body.bytes, how, signal)
    this.#isHard = !isLarge && 'kind' in large && large.changed
    return large
  }

  /**
   * What the stream selects in a text that isn't JSON.
   * @returns `undefined` if it selects nothing, and text is text
   * @throws the signal's reason if it aborts first
   */
  async select(
    text: string,
    type: string,
    signal: AbortSignal,
  ): Promise<{ selected: string } | DocumentRefusal | undefined> {
    if (this.#selection === undefined) return undefined
    return this.#large.select(text, isXml(type, text), this.#selection, signal)
  }

  /** @returns `undefined` if comparing takes too long for the main thread */
  #advanceHere(
    last: Followed | undefined,
    { bytes, text = new TextDecoder().decode(bytes) }: Body,
  ): DocumentStep | DocumentRefusal | undefined {
    try {
      const document = readPayload(text, this.#payload)
      if (document === undefined) return nothingAt(this.#payload)
      const bounds = { maxSteps: STEPS_HERE, isTried: true }
      return advance(last, document, this.#arrayKeys, this.#differ, bounds)
    } catch (error) {
      if (error instanceof TooMuch && error.what === 'steps') return undefined
      return unreadable(error)
    }
  }
}

/** Whether a document is text that is too long for the main thread. */
export function isLargeText(last: Followed | FollowedText | undefined): boolean {
  return last !== undefined && 'text' in last && last.text.length > LARGE_CHARS
}

/** A document that the main thread can follow. */
export function asDocument<L extends Followed | FollowedText | undefined>(last: L) {
  if (last === undefined || 'document' in last) return last as Followed | Extract<L, undefined>
  const { text, ...standing } = last
  return { ...standing, document: parseJson(text) } as Followed
}
