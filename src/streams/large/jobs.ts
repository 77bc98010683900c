import { constants, deflateRawSync, gzipSync } from 'node:zlib'
import { hashDocument, isPatch, type Json } from '../../core/documents/document.ts'
import { parseJson, stringifyJson } from '../../core/documents/json.ts'
import { TooMuch } from '../../core/documents/work.ts'
import { selectIn } from '../content/select.ts'
import type { Selection } from '../content/selection.ts'
import { nothingAt, type Payload, readPayload, type Unreadable, unreadable } from '../documents/payload.ts'
import {
  type ChangeForm,
  changeBetween,
  patchedBy,
  rebuild,
  type Whole,
  wholeOf,
} from '../ingest/follow-document.ts'
import type { Followed, FollowedText } from '../ingest/run.ts'

/**
 * What is done with large documents off the main thread. Texts and bytes go in and out, never documents: cloning one
 * takes as long as parsing it.
 */
export type Job = CompareJob | PatchJob | HashJob | RebuildJob | SizeJob | SelectJob

/** Reads a polled body and compares its document with the last one. */
export interface CompareJob {
  kind: 'compare'
  body: Uint8Array<ArrayBuffer>
  payload: Payload
  arrayKeys: readonly string[]
  last: Pick<FollowedText, 'text' | 'hash'> | undefined
}

/** In order; the last one is omitted if the document is the first, or unchanged. */
export type CompareAnswer =
  | { unreadable: Unreadable }
  | { hash: string }
  | { whole: Whole }
  | { change: ChangeForm }

/** Applies a patch from the upstream. */
export interface PatchJob {
  kind: 'patch'
  last: Pick<FollowedText, 'text' | 'hash'>
  patch: string
  maxBytes: number
}

/** `tooMuch`: a bound was exceeded. `isNone`: the text isn't a patch. */
export type PatchAnswer =
  | { patched: Whole & { paths?: string[] } }
  | { misfit: string; tooMuch?: TooMuch['what'] }
  | { isNone: true }

/** Reads a document from the upstream. */
export interface HashJob {
  kind: 'hash'
  text: string
}

/** `undefined` for anything but an object or array, or if it is nested too deeply. */
export type HashAnswer = { hash: string | undefined }

/** Builds a document from a stored snapshot and the patches after it. */
export interface RebuildJob {
  kind: 'rebuild'
  snapshot: string
  patches: readonly string[]
}

/** `undefined` if it is damaged. */
export type RebuildAnswer = { rebuilt: FollowedText | undefined }

/** Selects a document in a page or in XML. */
export interface SelectJob {
  kind: 'select'
  text: string
  isXml: boolean
  selection: Selection
}

export type SelectAnswer = { selected: string } | { tooMuch: string }

/** Returns the compressed size of a body or text. */
export interface SizeJob {
  kind: 'size'
  content: Uint8Array<ArrayBuffer> | string
  /** As a body, or as a frame of a stream. */
  as: 'gzip' | 'frame'
}
export type SizeAnswer = { bytes: number }

/** The answers to a job: one or more; the last one ends it. */
export interface JobAnswers {
  compare: CompareAnswer
  patch: PatchAnswer
  hash: HashAnswer
  rebuild: RebuildAnswer
  size: SizeAnswer
  select: SelectAnswer
}
export type JobAnswer = JobAnswers[Job['kind']]

/** Does a job. Partial results are yielded as soon as they are known. */
export function doJob(job: Job): Iterable<JobAnswer> {
  switch (job.kind) {
    case 'compare':
      return compared(job)
    case 'patch':
      return [patched(job)]
    case 'hash':
      return [{ hash: documentHash(job.text) }]
    case 'rebuild':
      return [{ rebuilt: rebuilt(job) }]
    case 'select':
      return [selected(job)]
    case 'size':
      return [{ bytes: compressedBytes(job.content, job.as) }]
  }
}

function* compared({ body, payload, arrayKeys, last }: CompareJob): Iterable<CompareAnswer> {
  const read = readDocument(body, payload)
  if ('unreadable' in read) {
    yield read
    return
  }
  const { document, hash } = read
  if (hash === last?.hash) {
    yield { hash }
    return
  }
  const whole = wholeOf(document, hash)
  yield { whole }
  if (last === undefined) return
  yield { change: changeBetween(parseJson(last.text), document, whole.bytes, arrayKeys) }
}

function readDocument(
  body: Uint8Array,
  payload: Payload,
): { document: Json; hash: string } | { unreadable: Unreadable } {
  try {
    const document = readPayload(new TextDecoder().decode(body), payload)
    if (document === undefined) return { unreadable: nothingAt(payload) }
    return { document, hash: hashDocument(document) }
  } catch (error) {
    return { unreadable: unreadable(error) }
  }
}

function patched({ last, patch, maxBytes }: PatchJob): PatchAnswer {
  const operations = containerIn(patch)
  if (!isPatch(operations)) return { isNone: true }
  const from = { document: parseJson(last.text), hash: last.hash }
  try {
    const { document: _, ...whole } = patchedBy(from, operations, { maxBytes })
    return { patched: whole }
  } catch (error) {
    const tooMuch = error instanceof TooMuch ? error.what : undefined
    return { misfit: (error as Error).message, tooMuch }
  }
}

function selected({ text, isXml, selection }: SelectJob): SelectAnswer {
  try {
    return { selected: stringifyJson(selectIn(text, isXml, selection)) }
  } catch (error) {
    if (error instanceof TooMuch || error instanceof RangeError) return { tooMuch: error.message }
    throw error
  }
}

function documentHash(text: string): string | undefined {
  const document = containerIn(text)
  try {
    return document === undefined ? undefined : hashDocument(document)
  } catch {
    return undefined
  }
}

/** The object or array in a text; `undefined` for anything else. */
export function containerIn(text: string): Json | undefined {
  if (!/^\s*[[{]/.test(text)) return undefined
  try {
    return parseJson(text)
  } catch {
    return undefined
  }
}

/** Size of a gzipped body, or of a compressed SSE frame. */
export function compressedBytes(content: Uint8Array | string, as: SizeJob['as']): number {
  if (as === 'gzip') return gzipSync(content).byteLength
  return deflateRawSync(content, { finishFlush: constants.Z_FULL_FLUSH }).byteLength
}

function rebuilt({ snapshot, patches }: RebuildJob): FollowedText | undefined {
  try {
    return asText(rebuild(snapshot, patches))
  } catch {
    return undefined
  }
}

/** The document in the form that the main thread holds. */
export function asText(followed: Followed | FollowedText): FollowedText {
  if ('text' in followed) return followed
  const { document, ...standing } = followed
  return { ...standing, text: stringifyJson(document) }
}
