import { applyPatch } from 'fast-json-patch'
import type { DocumentPageData, VersionRow } from '../../../views/documents/document.tsx'
import type { SliderView, Stop } from '../../../views/documents/slider.tsx'
import type { PatchOperationView } from '../../../views/layout/operations.tsx'
import type { Json, PatchOperation } from '../../core/documents/document.ts'
import { indentJson } from '../../core/documents/indent.ts'
import { stringifyJson } from '../../core/documents/json.ts'
import { Problem } from '../../errors.ts'
import {
  type DocumentChange,
  documentOf,
  type Large,
  type Moment,
  type VersionLine,
  versionAt,
  versionBefore,
  versionChangeBetween,
  versionsAround,
} from '../../streams/documents/documents.ts'
import type { Marks, Zoom } from '../../streams/documents/version-marks.ts'
import type { ReadVersions } from '../../streams/documents/versions.ts'
import type { Stream } from '../../streams/ingest/run.ts'

/** Characters shown of a document, and of a changed value. */
const DOCUMENT_CHARS = 65_536
const VALUE_CHARS = 400
/** Maximum number of operations of a change that are shown. */
const OPERATIONS_SHOWN = 100
/** For larger documents, values before a change aren't shown. */
const MAX_BEFORE_CHARS = 2_097_152
/** Versions listed on either side of the current one. */
const VERSIONS_AROUND = 12

type Shown = Pick<Stream, 'id' | 'name' | 'kind' | 'arrayKeys'>

/** The request for the page of a document. */
export interface DocumentAsked {
  /** The requested point in time, as typed and as parsed. */
  asked: string | undefined
  moment(): Promise<Moment>
  zoom: Zoom
  /** The versions around a time, by default around the newest. */
  marks(around: Date | undefined): Promise<Marks | undefined>
}

/** The page of a document at a point in time; without a document, the reason and the newest versions. */
export async function documentView(
  { read, large }: { read: ReadVersions; large?: Large },
  stream: Shown,
  { asked, moment, zoom, marks }: DocumentAsked,
): Promise<{ page: DocumentPageData; status: number }> {
  const { id, name } = stream
  try {
    const version = await versionAt(read, stream, await moment())
    const shown = await shownVersion(read, stream, version, large)
    const [versions, found] = await Promise.all([rows(read, stream, version.seq), marks(version.at)])
    const slider = found && sliderView(found, zoom, versions, version)
    return { page: { id, name, asked, shown, versions, slider }, status: 200 }
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    const versions = await rows(read, stream, Number.MAX_SAFE_INTEGER - 1)
    const found = await marks(versions[0]?.at)
    const slider = found && sliderView(found, zoom, versions, undefined)
    return { page: { id, name, asked, problem: error.detail, versions, slider }, status: error.status }
  }
}

/** Around the current version, every version is a stop; elsewhere, every mark is. */
function sliderView(
  { from, to, stepMs, marks }: Marks,
  zoom: Zoom,
  rows: readonly VersionRow[],
  shown: { seq: number; at: Date } | undefined,
): SliderView {
  const place = rows.findIndex(({ seq }) => seq === shown?.seq)
  const near = place < 0 ? [] : rows
  // A side with fewer versions than requested has no more.
  const isOldest = rows.length - 1 - place < VERSIONS_AROUND
  const lowest = near.length === 0 ? 0 : isOldest ? 0 : (near.at(-1)?.seq ?? 0)
  const highest =
    near.length === 0 ? -1 : place < VERSIONS_AROUND ? Number.POSITIVE_INFINITY : (near[0]?.seq ?? 0)
  const far = marks.filter(({ seq }) => seq < lowest || seq > highest)
  const within = near.filter(({ at }) => at >= from && at < to)
  const stops: Stop[] = [...far, ...within].map(({ seq, at }) => ({ seq, at })).sort((a, b) => a.seq - b.seq)
  return { zoom, from, to, stepMs, marks, stops, shown: shown && { seq: shown.seq, at: shown.at } }
}

async function shownVersion(
  read: ReadVersions,
  stream: Shown,
  version: Awaited<ReturnType<typeof versionAt>>,
  large: Large | undefined,
): Promise<DocumentPageData['shown']> {
  const before = await versionBefore(read, stream, version)
  const change = before && (await versionChangeBetween(read, stream, before, version, large))
  const document = change?.to ?? (await documentOf(read, stream, version, large))
  const { seq, at, hash, text } = document
  const { text: indented, cut } = indentJson(text, DOCUMENT_CHARS)
  return {
    seq,
    at,
    hash,
    kind: version.kind,
    bytes: Buffer.byteLength(text),
    text: indented,
    cut,
    change: change && changeView(change),
  }
}

async function rows(read: ReadVersions, stream: Shown, seq: number): Promise<VersionRow[]> {
  return (await versionsAround(read, stream, seq, VERSIONS_AROUND)).map(versionRow)
}

function versionRow({ seq, at, kind, patchBytes, snapshotBytes, paths }: VersionLine): VersionRow {
  return { seq, at, kind, bytes: kind === 'patch' ? patchBytes : snapshotBytes, paths }
}

function changeView({ from, operations, patchBytes }: DocumentChange) {
  // A large document isn't worth parsing to show a few of its values.
  const before = from.text.length <= MAX_BEFORE_CHARS ? from.document : undefined
  return { since: { seq: from.seq, at: from.at }, patchBytes, ...operationViews(operations, before) }
}

/**
 * The first operations as the page shows them, and how many more there are.
 * @param before the document that they change, if known
 */
export function operationViews(operations: PatchOperation[], before?: Json) {
  const shown = operations.slice(0, OPERATIONS_SHOWN)
  const removed = before === undefined ? [] : removedValues(before, shown)
  return {
    operations: shown.map((operation, index) => operationView(operation, removed[index])),
    more: operations.length - shown.length,
  }
}

/** The values that each operation removes; later ones depend on the earlier ones. */
function removedValues(document: Json, operations: PatchOperation[]): unknown[] {
  const results = applyPatch(structuredClone(document), structuredClone(operations), false, true)
  return results.map(({ removed }) => removed)
}

function operationView(operation: PatchOperation, removed: unknown): PatchOperationView {
  const { op, path } = operation
  const takes = op === 'remove' || op === 'replace'
  return {
    op,
    path,
    from: 'from' in operation ? operation.from : undefined,
    before: takes ? valueText(removed) : undefined,
    after: 'value' in operation ? valueText(operation.value) : undefined,
  }
}

function valueText(value: unknown): string | undefined {
  if (value === undefined) return undefined
  const text = stringifyJson(value as Parameters<typeof stringifyJson>[0])
  return text.length > VALUE_CHARS ? `${text.slice(0, VALUE_CHARS)}…` : text
}
