import { changedPaths, WHOLE_DOCUMENT } from '../../core/documents/changed-paths.ts'
import { diff } from '../../core/documents/diff.ts'
import { hashDocument, isPatch, type Json, type PatchOperation } from '../../core/documents/document.ts'
import { parseJson, stringifyJson } from '../../core/documents/json.ts'
import { patch } from '../../core/documents/patch.ts'
import { STREAM_KIND } from '../../core/sets/stream-kinds.ts'
import { Problem } from '../../errors.ts'
import type { Stream } from '../ingest/run.ts'
import { LARGE_CHARS, type LargeDocuments } from '../large/documents.ts'
import { type ReadVersions, readChain, readChainTexts, type Version } from './versions.ts'

/** A point in a stream's life: an instant, an entry, or now. */
export type Moment = { at: Date } | { seq: number } | 'now'

/** A document at some point in time. */
export interface StoredDocument {
  /** The entry that produced it. */
  seq: number
  at: Date
  /** SHA-256 of its canonical form, in hex. */
  hash: string
  document: Json
  /** Its JSON text: of a snapshot, as it was stored. */
  text: string
}

/** The change from one document to another. */
export interface DocumentChange {
  from: StoredDocument
  to: StoredDocument
  /** In order; a single `replace` of the whole document if no patch can be made. */
  operations: PatchOperation[]
  /** Size of the operations as JSON text; 0 if nothing changed. */
  patchBytes: number
  /** Size of the resulting document. */
  snapshotBytes: number
}

/** A version in a list. */
export interface VersionLine extends Omit<Version, 'data'> {
  /** Pointers in its patch, up to a limit; omitted if the patch is too large to be parsed. */
  paths: string[] | undefined
}

export interface VersionsQuery {
  /** The first and last moment, inclusive. */
  from?: Moment
  to?: Moment
  /** Only versions before this `seq`, where the previous page ended. */
  before?: number
  limit: number
}

type Of = Pick<Stream, 'id' | 'kind'>

/** Larger patches aren't parsed for the paths they change, in bytes. */
const LISTED_PATCH_BYTES = 65_536

/**
 * The version of a stream at a moment, without its data.
 * @throws Problem `not_found` if there was none yet, or the stream has no document
 */
export async function versionAt(read: ReadVersions, stream: Of, moment: Moment): Promise<Version> {
  const version = await newest(read, stream.id, bounds(moment))
  return version ?? (await noDocument(read, stream))
}

/** The version before another; `undefined` for the first. */
export function versionBefore(read: ReadVersions, { id }: Of, { seq }: Pick<Version, 'seq'>) {
  return newest(read, id, { to: seq - 1 })
}

/** Builds and compares large documents off the main thread. */
export type Large = Pick<LargeDocuments, 'rebuild' | 'change'>

/**
 * Builds a version's document from the last snapshot before it and the patches in between.
 * @throws Problem `damaged` if the result doesn't have the version's hash
 */
export async function documentOf(
  read: ReadVersions,
  stream: Of,
  version: Version,
  large?: Large,
): Promise<StoredDocument> {
  const { seq, at, hash } = version
  const [base] = await read(stream.id, {
    only: 'snapshots',
    to: seq,
    newestFirst: true,
    limit: 1,
    ...NO_DATA,
  })
  if (base === undefined) return noDocument(read, stream)
  if (large !== undefined && isLarge(version)) {
    const [snapshot = '', ...patches] = await readChainTexts(read, stream.id, base.seq, seq)
    const rebuilt = await large.rebuild(snapshot, patches)
    if (rebuilt?.hash === hash) return new LargeDocument(version, base.seq === seq ? snapshot : rebuilt.text)
    // The damaged entry is identified below.
  }
  let document: Json | undefined
  let stored: string | undefined
  for await (const page of readChain(read, stream.id, base.seq, seq)) {
    document = attempt(() => applyAll(document, page))
    if (document === undefined) break
    stored = page.at(-1)?.data
  }
  if (document === undefined || hashDocument(document) !== hash) {
    throw damaged(await firstDamaged(read, stream.id, base.seq, seq))
  }
  const text = (base.seq === seq && stored) || stringifyJson(document)
  return { seq, at, hash, document, text }
}

/** The change between two versions, verified: applied to the first, it gives the hash of the second. */
export async function versionChangeBetween(
  read: ReadVersions,
  stream: Of & Pick<Stream, 'arrayKeys'>,
  earlier: Version,
  later: Version,
  large?: Large,
): Promise<DocumentChange> {
  const from = await documentOf(read, stream, earlier, large)
  const to = await documentOf(read, stream, later, large)
  const operations =
    large !== undefined && (isLarge(earlier) || isLarge(later))
      ? await largeOperations(from, to, stream.arrayKeys, large)
      : operationsBetween(from, to, stream.arrayKeys)
  const patchBytes = operations.length === 0 ? 0 : Buffer.byteLength(stringifyJson(operations))
  return { from, to, operations, patchBytes, snapshotBytes: Buffer.byteLength(to.text) }
}

function isLarge({ snapshotBytes = 0 }: Version): boolean {
  return snapshotBytes > LARGE_CHARS
}

/** A document that is parsed only when its content is needed, and not to be sent. */
class LargeDocument implements StoredDocument {
  readonly seq: number
  readonly at: Date
  readonly hash: string
  readonly text: string
  #document: Json | undefined

  constructor({ seq, at, hash }: Version, text: string) {
    this.seq = seq
    this.at = at
    this.hash = hash
    this.text = text
  }

  get document(): Json {
    this.#document ??= parseJson(this.text)
    return this.#document
  }
}

async function largeOperations(
  from: StoredDocument,
  to: StoredDocument,
  arrayKeys: readonly string[],
  large: Large,
): Promise<PatchOperation[]> {
  if (from.hash === to.hash) return []
  const data = await large.change({ text: from.text, hash: from.hash }, to.text, arrayKeys)
  return data === undefined ? [{ op: 'replace', path: '', value: to.document }] : operationsOf({ data })
}

/** A page of a stream's versions, newest first; `next` is the `before` of the next page. */
export async function listVersions(
  read: ReadVersions,
  { id }: Of,
  { from, to = 'now', before, limit }: VersionsQuery,
): Promise<{ items: VersionLine[]; next: number | undefined }> {
  const first = from && (await newest(read, id, bounds(from)))
  const last = await newest(read, id, bounds(to))
  if (last === undefined) return { items: [], next: undefined }
  const end = Math.min(last.seq, (before ?? Number.POSITIVE_INFINITY) - 1)
  const range = { from: first?.seq, to: end, only: 'received', newestFirst: true } as const
  const rows = await read(id, { ...range, limit: limit + 1, maxDataBytes: LISTED_PATCH_BYTES })
  const items = rows.slice(0, limit).map(versionLine)
  return { items, next: rows.length > limit ? items.at(-1)?.seq : undefined }
}

/** Versions around one, newest first: up to `count` on either side. */
export async function versionsAround(
  read: ReadVersions,
  { id }: Of,
  seq: number,
  count: number,
): Promise<VersionLine[]> {
  const page = { only: 'received', maxDataBytes: LISTED_PATCH_BYTES } as const
  const [newer, older] = await Promise.all([
    read(id, { ...page, from: seq + 1, limit: count }),
    read(id, { ...page, to: seq, newestFirst: true, limit: count + 1 }),
  ])
  return [...newer.reverse(), ...older].map(versionLine)
}

const NO_DATA = { maxDataBytes: 0 } as const

function bounds(moment: Moment): { to?: number; until?: Date } {
  if (moment === 'now') return {}
  return 'seq' in moment ? { to: moment.seq } : { until: moment.at }
}

/** The newest received version, or its keyframe if that is all that is left. */
async function newest(
  read: ReadVersions,
  streamId: string,
  within: { to?: number; until?: Date },
): Promise<Version | undefined> {
  const query = { ...within, newestFirst: true, limit: 1, ...NO_DATA }
  const [received] = await read(streamId, { ...query, only: 'received' })
  return received ?? (await read(streamId, query))[0]
}

/** Says why there is no document, and what exists instead. */
async function noDocument(read: ReadVersions, { id, kind }: Of): Promise<never> {
  const [first] = await read(id, { only: 'snapshots', limit: 1, ...NO_DATA })
  if (first !== undefined) {
    const when = `${first.at.toISOString()}, entry ${first.seq}`
    throw new Problem('not_found', `The stream had no document at that time. Its first one is from ${when}.`)
  }
  const detail = `The stream has no document: none of its ${STREAM_KIND[kind].received} so far contains one. See /api/streams/${id}/logs for everything received.`
  throw new Problem('not_found', detail)
}

/** Applies versions in order, as one patch with all their operations, because each patch copies the document. */
function applyAll(document: Json | undefined, versions: readonly Version[]): Json {
  const [first, ...others] = versions
  const isWhole = first?.kind === 'snapshot'
  const from = isWhole ? parseJson(first.data ?? '') : document
  const patches = isWhole ? others : versions
  if (from === undefined) throw new Error('There is no snapshot before the patch')
  return patches.length === 0 ? from : patch(from, patches.flatMap(operationsOf))
}

function operationsOf({ data = '' }: Pick<Version, 'data'>): PatchOperation[] {
  const operations: unknown = parseJson(data)
  if (!isPatch(operations)) throw new Error('A stored patch is not an RFC 6902 patch')
  return operations
}

/** The result of a step over stored data; `undefined` if the data can't be used. */
function attempt<T>(step: () => T): T | undefined {
  try {
    return step()
  } catch {
    return undefined
  }
}

/** The first entry of a chain that doesn't produce its hash. */
async function firstDamaged(read: ReadVersions, streamId: string, from: number, to: number): Promise<number> {
  let document: Json | undefined
  for await (const page of readChain(read, streamId, from, to)) {
    for (const version of page) {
      document = attempt(() => applyAll(document, [version]))
      if (document === undefined || hashDocument(document) !== version.hash) return version.seq
    }
  }
  return to
}

function damaged(seq: number): Problem {
  const detail = `Entry ${seq} doesn't produce a document that matches its hash: its stored data is damaged.`
  return new Problem(
    'damaged',
    `${detail} Versions before it, and from the next snapshot on, are unaffected.`,
  )
}

function operationsBetween(
  from: StoredDocument,
  to: StoredDocument,
  arrayKeys: readonly string[],
): PatchOperation[] {
  if (from.hash === to.hash) return []
  const operations = attempt(() => diff(from.document, to.document, arrayKeys))
  const gives = operations && attempt(() => hashDocument(patch(from.document, operations)))
  return operations && gives === to.hash ? operations : [{ op: 'replace', path: '', value: to.document }]
}

function versionLine({ data, ...version }: Version): VersionLine {
  return { ...version, paths: version.kind === 'snapshot' ? [WHOLE_DOCUMENT] : pathsOf(data) }
}

function pathsOf(data: string | undefined): string[] | undefined {
  if (data === undefined) return undefined
  // Without the documents, indices appear as they are in the patch.
  return attempt(() => changedPaths(operationsOf({ data }), null, null))
}
