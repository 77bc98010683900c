import type { Json } from '../../src/core/document.ts'
import type { Step } from '../../src/streams/follow-document.ts'
import { applyByTheBook } from './rfc6902.ts'

/** What the log of a stream holds, read by someone who knows nothing but RFC 6902. */
export class StepReader {
  document: Json = null
  /** The last snapshot, and the patches after it. */
  snapshot = ''
  patches: string[] = []
  readonly kinds: string[] = []

  read({ kind, changed, data }: Step): void {
    if (data !== undefined) {
      if (kind === 'snapshot') this.snapshot = data
      this.patches = kind === 'snapshot' ? [] : [...this.patches, data]
      this.document = kind === 'snapshot' ? JSON.parse(data) : applyByTheBook(this.document, data)
    }
    this.kinds.push(changed ? kind : 'unchanged')
  }
}
