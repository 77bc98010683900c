import type { Json } from '../../../src/core/documents/document.ts'
import { documentAt } from '../../../src/sim/service/numbers.ts'
import { rebuild } from '../../../src/streams/ingest/follow-document.ts'
import type { LoggedEntry } from '../../support/weir.ts'
import type { Source } from '../upstream/content.ts'
import { numberOf } from './log-reading.ts'

/** Examples told of one kind of fault in one stream. */
const EXAMPLES = 3

/** Proves that the log has every `seq` once and in order, and that epochs only grow. */
export function checkOrder(name: string, log: readonly LoggedEntry[]): string[] {
  const faults: string[] = []
  for (const [index, { seq, epoch }] of log.entries()) {
    if (faults.length >= EXAMPLES) break
    if (seq !== index + 1) faults.push(`seq: ${name}: entry ${index + 1} of the log has seq ${seq}`)
    const before = log[index - 1]?.epoch ?? 0
    if (epoch < before) faults.push(`epoch: ${name}: seq ${seq} has epoch ${epoch} after ${before}`)
  }
  return faults
}

export interface DocumentCheck {
  faults: string[]
  /** Patches applied, each of them to what the ones before had made. */
  rebuilt: number
  /** The document after the last entry. */
  document: Json | undefined
}

/**
 * Proves that snapshots and patches in the order of `seq` give the hash that each entry carries, and a document that
 * the upstream has had.
 */
export function checkDocuments(source: Source, log: readonly LoggedEntry[]): DocumentCheck {
  const check: DocumentCheck = { faults: [], rebuilt: 0, document: undefined }
  for (const entry of log) {
    if (entry.kind !== 'snapshot' && entry.kind !== 'patch') continue
    try {
      const followed =
        entry.kind === 'snapshot'
          ? rebuild(JSON.stringify(entry.data), [])
          : rebuild(JSON.stringify(check.document), [JSON.stringify(entry.data)])
      check.document = followed.document
      if (entry.kind === 'patch') check.rebuilt++
      if (followed.hash !== entry.hash) add(check, source, entry, 'does not rebuild to its hash')
      else if (!isVersion(source, entry, followed.document))
        add(check, source, entry, 'is no version that was sent')
    } catch (error) {
      add(check, source, entry, `can't be applied: ${(error as Error).message.split('\n')[0]}`)
    }
  }
  return check
}

function isVersion(source: Source, entry: LoggedEntry, document: Json): boolean {
  const version = (document as { version?: number }).version
  if (version === undefined || version !== numberOf(entry)) return false
  return Bun.deepEquals(document, documentAt(source.name, version))
}

function add(
  { faults }: DocumentCheck,
  { name }: Source,
  { kind, seq, epoch }: LoggedEntry,
  what: string,
): void {
  if (faults.length < EXAMPLES)
    faults.push(`document: ${name}: the ${kind} of seq ${seq} (epoch ${epoch}) ${what}`)
}
