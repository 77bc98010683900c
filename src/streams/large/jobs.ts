import { constants, deflateRawSync, gzipSync } from 'node:zlib'
import { hashDocument, isPatch, type Json } from '../../core/documents/document.ts'
import { parseJson, stringifyJson } from '../../core/documents/json.ts'
import { TooMuch } from '../../core/documents/work.ts'
import { nothingAt, type Payload, readPayload, type Unreadable, unreadable } from '../documents/payload.ts'
import {
  type Change,
  changeBetween,
  patchedBy,
  rebuild,
  type Whole,
  wholeOf,
} from '../ingest/follow-document.ts'
import type { Followed, FollowedText } from '../ingest/run.ts'

/**
 * What is done with large documents away from the thread that everything else runs on. Texts and bytes go in and come
 * out, never documents: to clone one takes as long as to parse it.
 */
export type Job = CompareJob | PatchJob | HashJob | RebuildJob | SizeJob

/** Reads a polled body, and tells how its document differs from the last one. */
export interface CompareJob {
  kind: 'compare'
  body: Uint8Array<ArrayBuffer>
  payload: Payload
  arrayKeys: readonly string[]
  last: Pick<FollowedText, 'text' | 'hash'> | undefined
}

/** In their order; the last one is left out where the document is the first, or the same. */
export type CompareAnswer =
  | { unreadable: Unreadable }
  | { hash: string }
  | { whole: Whole }
  | { change: Change }

/** Applies a patch that an upstream sent. */
export interface PatchJob {
  kind: 'patch'
  last: Pick<FollowedText, 'text' | 'hash'>
  patch: string
  maxBytes: number
}

/** `tooMuch`: beyond a bound. `isNone`: the text is no patch. */
export type PatchAnswer =
  | { patched: Whole & { paths?: string[] } }
  | { misfit: string; tooMuch?: TooMuch['what'] }
  | { isNone: true }

/** Reads a document that an upstream sent. */
export interface HashJob {
  kind: 'hash'
  text: string
}

/** `undefined` for what is no object or array, or is nested too deeply. */
export type HashAnswer = { hash: string | undefined }

/** Builds a document from a stored snapshot and the patches after it. */
export interface RebuildJob {
  kind: 'rebuild'
  snapshot: string
  patches: readonly string[]
}

/** `undefined` for what is damaged. */
export type RebuildAnswer = { rebuilt: FollowedText | undefined }

/** Tells how small a body or text becomes when it is compressed. */
export interface SizeJob {
  kind: 'size'
  content: Uint8Array<ArrayBuffer> | string
  /** As a body by itself, or as a frame of a stream. */
  as: 'gzip' | 'frame'
}
export type SizeAnswer = { bytes: number }

/** What a job answers: one or more, the last of which ends it. */
export interface Answers {
  compare: CompareAnswer
  patch: PatchAnswer
  hash: HashAnswer
  rebuild: RebuildAnswer
  size: SizeAnswer
}
export type Answer = Answers[Job['kind']]

/** Does a job. What can be used without the rest is told as soon as it is known. */
export function doJob(job: Job): Iterable<Answer> {
  switch (job.kind) {
    case 'compare':
      return compared(job)
    case 'patch':
      return [patched(job)]
    case 'hash':
      return [{ hash: documentHash(job.text) }]
    case 'rebuild':
      return [{ rebuilt: rebuilt(job) }]
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

function documentHash(text: string): string | undefined {
  const document = containerIn(text)
  try {
    return document === undefined ? undefined : hashDocument(document)
  } catch {
    return undefined
  }
}

/** The object or array that a text is; `undefined` for anything else. */
export function containerIn(text: string): Json | undefined {
  if (!/^\s*[[{]/.test(text)) return undefined
  try {
    return parseJson(text)
  } catch {
    return undefined
  }
}

/** Bytes of a body compressed with gzip, or of a compressed SSE frame. */
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

/** A document as others hold it. */
export function asText(followed: Followed | FollowedText): FollowedText {
  if ('text' in followed) return followed
  const { document, ...standing } = followed
  return { ...standing, text: stringifyJson(document) }
}
