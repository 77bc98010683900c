import type { Json } from '../../src/core/documents/document.ts'
import { parseJson } from '../../src/core/documents/json.ts'
import { afterKeyframe, type Step } from '../../src/streams/ingest/follow-document.ts'
import type { Followed } from '../../src/streams/ingest/run.ts'
import { applyByTheBook } from './rfc6902.ts'

/** What the log of a stream holds, read by someone who knows nothing but RFC 6902. */
export class StepReader {
  document: Json = null
  /** The last snapshot, and the patches after it. */
  snapshot = ''
  patches: string[] = []
  readonly kinds: string[] = []

  /** @returns what the stream goes on from */
  read({ kind, changed, data, keyframe, followed }: Step): Followed {
    if (data !== undefined) {
      if (kind === 'snapshot') this.#begin(data)
      else {
        this.patches.push(data)
        this.document = applyByTheBook(this.document, data)
      }
    }
    this.kinds.push(changed ? kind : 'unchanged')
    if (keyframe === undefined) return followed
    this.#begin(keyframe)
    this.kinds.push('keyframe')
    return afterKeyframe(followed)
  }

  #begin(snapshot: string): void {
    this.snapshot = snapshot
    this.patches = []
    this.document = parseJson(snapshot)
  }
}
