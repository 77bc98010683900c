import { parseJson } from '../../core/documents/json.ts'
import { TooMuch } from '../../core/documents/work.ts'
import { nothingAt, type Payload, payloadOf, readPayload, unreadable } from '../documents/payload.ts'
import { advance, type Differ, type Step } from '../ingest/follow-document.ts'
import type { Followed, FollowedText, Stream } from '../ingest/run.ts'
import { LARGE_CHARS, type LargeDocuments, type Refusal, STEPS_HERE } from './documents.ts'

/** What a poll brought. */
export interface Body {
  /** Whoever passes them has no more use for them. */
  bytes: Uint8Array
  /** The same as text, where that is known already. */
  text: string | undefined
}

/**
 * Goes from document to document as polls bring them. Small ones are compared here and at once; by a worker those that are
 * large, or so hard to compare that others would wait.
 */
export class DocumentFollower {
  readonly #payload: Payload
  readonly #arrayKeys: readonly string[]
  readonly #large: LargeDocuments
  readonly #differ: Differ | undefined
  /** Whether the last two documents were too hard to compare here: the next ones are like them. */
  #isHard = false

  constructor(stream: Stream, { large, differ }: { large: LargeDocuments; differ?: Differ }) {
    this.#payload = payloadOf(stream)
    this.#arrayKeys = stream.arrayKeys
    this.#large = large
    this.#differ = differ
  }

  /** @throws the signal's reason when it aborts first */
  async advance(
    last: Followed | FollowedText | undefined,
    body: Body,
    signal: AbortSignal,
  ): Promise<Step<Followed | FollowedText> | Refusal> {
    const isLarge = body.bytes.byteLength > LARGE_CHARS || isLargeText(last)
    const step = isLarge || this.#isHard ? undefined : this.#advanceHere(asDocument(last), body)
    if (step !== undefined) return step
    const how = { payload: this.#payload, arrayKeys: this.#arrayKeys }
    const large = await this.#large.advance(last, body.bytes, how, signal)
    this.#isHard = !isLarge && 'kind' in large && large.changed
    return large
  }

  /** @returns `undefined` where comparing takes too long for here */
  #advanceHere(
    last: Followed | undefined,
    { bytes, text = new TextDecoder().decode(bytes) }: Body,
  ): Step | Refusal | undefined {
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

/** Whether a document is held as text that is too long to be read here. */
export function isLargeText(last: Followed | FollowedText | undefined): boolean {
  return last !== undefined && 'text' in last && last.text.length > LARGE_CHARS
}

/** A document that isn't large, to go on with here. */
export function asDocument<L extends Followed | FollowedText | undefined>(last: L) {
  if (last === undefined || 'document' in last) return last as Followed | Extract<L, undefined>
  const { text, ...standing } = last
  return { ...standing, document: parseJson(text) } as Followed
}
