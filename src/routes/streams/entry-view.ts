import type { EntryDetail } from '../../../views/stream/entry.tsx'
import { isPatch, type Json } from '../../core/documents/document.ts'
import { parseJson } from '../../core/documents/json.ts'
import { Problem } from '../../errors.ts'
import { documentOf, versionBefore } from '../../streams/documents/documents.ts'
import type { ReadVersions } from '../../streams/documents/versions.ts'
import type { Stream } from '../../streams/ingest/run.ts'
import type { Entry } from '../../streams/recording/entry.ts'
import { operationViews } from '../documents/document-view.ts'
import { entryDetail } from './view-models.ts'

/** A larger patch is shown as text only. */
const MAX_PATCH_CHARS = 1_048_576
/** Of a larger document what was there before isn't looked up: it would have to be rebuilt to show a few values. */
const MAX_DOCUMENT_BYTES = 2_097_152

/** Everything about an entry; of a patch, what it changes. */
export async function entryView(read: ReadVersions, stream: Stream, entry: Entry): Promise<EntryDetail> {
  const detail = entryDetail(entry)
  const { kind, data } = entry
  if (kind !== 'patch' || data === undefined || data.length > MAX_PATCH_CHARS) return detail
  const operations: unknown = parseJson(data)
  if (!isPatch(operations)) return detail
  const before = await documentBefore(read, stream, entry)
  try {
    return { ...detail, change: operationViews(operations, before) }
  } catch {
    // What is stored of the document before is damaged: the patch can't be tried on it.
    return { ...detail, change: operationViews(operations) }
  }
}

async function documentBefore(read: ReadVersions, stream: Stream, entry: Entry): Promise<Json | undefined> {
  if ((entry.snapshotBytes ?? 0) > MAX_DOCUMENT_BYTES) return undefined
  try {
    const version = await versionBefore(read, stream, entry)
    return version && (await documentOf(read, stream, version)).document
  } catch (error) {
    // What is damaged, or no longer kept, leaves the entry to be seen as it is.
    if (error instanceof Problem) return undefined
    throw error
  }
}
