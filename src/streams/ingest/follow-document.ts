import { changedPaths, WHOLE_DOCUMENT } from '../../core/documents/changed-paths.ts'
import { diff } from '../../core/documents/diff.ts'
import {
  canonicalJson,
  hashDocument,
  isPatch,
  type Json,
  type PatchOperation,
  sha256,
} from '../../core/documents/document.ts'
import { parseJson, stringifyJson } from '../../core/documents/json.ts'
import { isEqual } from '../../core/documents/member-names.ts'
import { patch as applyPatch } from '../../core/documents/patch.ts'
import { TooMuch, Work } from '../../core/documents/work.ts'
import type { VersionKind } from '../../core/sets/entry-kinds.ts'
import type { Draft } from '../recording/entry.ts'
import type { Followed, FollowedText } from './run.ts'

/** A keyframe is due after this many patches, which bounds a rebuild … */
const SNAPSHOT_EVERY_PATCHES = 200
/** … and after patches of more than this many times the document's size. */
const SNAPSHOT_EVERY_SIZES = 4

/** The step of a document from one version to the next. */
export interface DocumentStep<F extends Followed | FollowedText = Followed> {
  followed: F
  kind: VersionKind
  changed: boolean
  /** Text to store: the document or the patch. Omitted if nothing changed. */
  data?: string
  /** Sizes of the change and of the document, as the entry has them. */
  patchBytes?: number
  snapshotBytes?: number
  /** The document's text, if it is due to be stored next to the patch. */
  keyframe?: string
  /** Whether a patch failed to produce the document. */
  mismatched?: boolean
  /** Omitted for a first document. */
  paths?: string[]
}

/** Makes patches; their result is verified. */
export type Differ = (from: Json, to: Json, arrayKeys: readonly string[], work: Work) => PatchOperation[]

/** A whole document as stored. */
export interface Whole {
  hash: string
  text: string
  bytes: number
}

/** The form of a change: a patch, or the whole document if there is no good patch. */
export type ChangeForm =
  | { kind: 'patch'; data: string; patchBytes: number; paths: string[]; mismatched?: undefined }
  | { kind: 'snapshot'; patchBytes?: number; mismatched?: true }

export interface Bounds {
  /** Maximum number of steps to make a patch, and as many again to verify it. Default: {@link MAX_STEPS}. */
  maxSteps?: number
  /** Whether exceeding that throws, so that the caller can try elsewhere; otherwise a snapshot is used. */
  isTried?: boolean
}

/**
 * Steps from the last document to the one from a poll. The patch is verified on the old document, and only used if it
 * produces the new one and is smaller.
 * @throws TooMuch for a document that is nested too deeply, or if the bounds say so
 */
export function advance(
  last: Followed | undefined,
  document: Json,
  arrayKeys: readonly string[],
  differ: Differ = diff,
  bounds: Bounds = {},
): DocumentStep {
  const hash = hashDocument(document)
  if (last?.hash === hash)
    return { followed: { ...last, document }, kind: 'patch', changed: false, patchBytes: 0 }
  const whole = wholeOf(document, hash)
  const change = last && changeBetween(last.document, document, whole.bytes, arrayKeys, differ, bounds)
  return stepTo(last, whole, change, { document })
}

export function wholeOf(document: Json, hash: string): Whole {
  const text = stringifyJson(document)
  return { hash, text, bytes: Buffer.byteLength(text) }
}

/** The best form of a change. @throws TooMuch if the bounds say so */
export function changeBetween(
  from: Json,
  to: Json,
  toBytes: number,
  arrayKeys: readonly string[],
  differ: Differ = diff,
  bounds: Bounds = {},
): ChangeForm {
  const operations = verifiedPatch(from, to, (work) => differ(from, to, arrayKeys, work), bounds)
  if (operations === 'refused') return { kind: 'snapshot' }
  if (operations === 'mismatched') return { kind: 'snapshot', mismatched: true }
  const data = stringifyJson(operations)
  const patchBytes = Buffer.byteLength(data)
  if (patchBytes >= toBytes) return { kind: 'snapshot', patchBytes }
  return { kind: 'patch', data, patchBytes, paths: changedPaths(operations, from, to) }
}

/**
 * The step to a whole document.
 * @param change omitted if there was no document before
 * @param content the document, as it is held from here on
 */
export function stepTo<C extends { document: Json } | { text: string }>(
  last: Followed | FollowedText | undefined,
  { hash, text, bytes: snapshotBytes }: Whole,
  change: ChangeForm | undefined,
  content: C,
) {
  if (last === undefined || change?.kind !== 'patch') {
    const followed = { ...content, hash, patches: 0, patchBytes: 0 }
    const mismatched = change?.mismatched
    const patchBytes = change?.patchBytes
    const paths = last && [WHOLE_DOCUMENT]
    return {
      ...{ followed, kind: 'snapshot' as const, changed: true, data: text, snapshotBytes, paths },
      ...{ patchBytes, mismatched },
    }
  }
  const { data, patchBytes, paths } = change
  const followed = { ...content, hash, ...afterPatch(last, patchBytes) }
  const keyframe = isDue(followed, snapshotBytes) ? text : undefined
  return { followed, kind: 'patch' as const, changed: true, data, patchBytes, snapshotBytes, keyframe, paths }
}

/** The result of an upstream's own patch, with its canonical text. */
export interface Patched extends Whole {
  document: Json
  /** Omitted if the document is the same. */
  paths?: string[]
}

export interface PatchedBounds {
  /** Largest document, and most bytes that a patch may copy. */
  maxBytes: number
  maxSteps?: number
}

/**
 * Applies a patch that the upstream itself sent.
 * @throws Error if the patch doesn't apply; `TooMuch` if the patch or its result exceeds a bound.
 */
export function patchedBy(
  { document: from, hash: lastHash }: Pick<Followed, 'document' | 'hash'>,
  operations: PatchOperation[],
  { maxBytes, maxSteps }: PatchedBounds,
): Patched {
  const document = applyPatch(from, operations, { maxCopiedBytes: maxBytes, work: new Work(maxSteps) })
  const text = canonicalJson(document)
  const [hash, bytes] = [sha256(text), Buffer.byteLength(text)]
  if (bytes > maxBytes) throw new TooMuch('bytes', `it makes a document larger than ${maxBytes} bytes`)
  const paths = hash === lastHash ? undefined : changedPaths(operations, from, document)
  return { document, text, hash, bytes, paths }
}

/**
 * Steps on by a patch that the upstream itself sent.
 * @param isStored whether the log has the last document; if not, the new one is stored
 * @param content the document, as it is held from here on
 */
export function stepByPatch<C extends { document: Json } | { text: string }>(
  last: Pick<Followed, 'hash' | 'patches' | 'patchBytes'>,
  { hash, text: canonical, bytes: snapshotBytes, paths: patched }: Whole & Pick<Patched, 'paths'>,
  text: string,
  content: C,
  isStored = true,
) {
  const textBytes = Buffer.byteLength(text)
  const changed = hash !== last.hash
  const patchBytes = changed ? textBytes : 0
  if (!isStored || textBytes >= snapshotBytes) {
    const followed = { ...content, hash, patches: 0, patchBytes: 0 }
    const paths = changed ? [WHOLE_DOCUMENT] : undefined
    return { followed, kind: 'snapshot' as const, changed, data: canonical, patchBytes, snapshotBytes, paths }
  }
  const followed = { ...content, hash, ...afterPatch(last, textBytes) }
  const keyframe = isDue(followed, snapshotBytes) ? canonical : undefined
  const paths = changed ? patched : undefined
  return { followed, kind: 'patch' as const, changed, data: text, patchBytes, snapshotBytes, keyframe, paths }
}

/** Both at once. @throws as {@link patchedBy} */
export function advanceByPatch(
  last: Followed,
  operations: PatchOperation[],
  text: string,
  isStored = true,
  bounds: PatchedBounds = { maxBytes: Number.POSITIVE_INFINITY },
): DocumentStep {
  const patched = patchedBy(last, operations, bounds)
  return stepByPatch(last, patched, text, { document: patched.document }, isStored)
}

/** The document after its keyframe was stored. */
export function afterKeyframe<F extends Followed | FollowedText>(followed: F): F {
  return { ...followed, patches: 0, patchBytes: 0 }
}

/** The entry that stores a keyframe; it stands for no received data and no change. */
export function keyframeDraft(
  at: number,
  { keyframe, followed, snapshotBytes }: DocumentStep<Followed | FollowedText>,
): Draft | undefined {
  if (keyframe === undefined) return undefined
  const { hash } = followed
  return { at, kind: 'snapshot', wireBytes: 0, bodyBytes: 0, snapshotBytes, hash, data: keyframe }
}

/** Builds the document again from stored entries: a snapshot, then the patches after it in the order of their `seq`. */
export function rebuild(snapshot: string, patches: readonly string[]): Followed {
  let patchBytes = 0
  const operations = patches.flatMap((text) => {
    const parsed: unknown = parseJson(text)
    if (!isPatch(parsed)) throw new Error('A stored patch is not an RFC 6902 patch')
    patchBytes += Buffer.byteLength(text)
    return parsed
  })
  // All at once: every call copies the document.
  const document = applyPatch(parseJson(snapshot), operations)
  return { document, hash: hashDocument(document), patches: patches.length, patchBytes }
}

function afterPatch({ patches, patchBytes }: Pick<Followed, 'patches' | 'patchBytes'>, bytes: number) {
  return { patches: patches + 1, patchBytes: patchBytes + bytes }
}

function isDue({ patches, patchBytes }: Pick<Followed, 'patches' | 'patchBytes'>, snapshotBytes: number) {
  return patches >= SNAPSHOT_EVERY_PATCHES || patchBytes > SNAPSHOT_EVERY_SIZES * snapshotBytes
}

function verifiedPatch(
  from: Json,
  to: Json,
  differ: (work: Work) => PatchOperation[],
  { maxSteps, isTried }: Bounds,
): PatchOperation[] | 'refused' | 'mismatched' {
  try {
    const operations = differ(new Work(maxSteps))
    const patched = applyPatch(from, operations, { work: new Work(maxSteps) })
    return isEqual(patched, to) ? operations : 'mismatched'
  } catch (error) {
    if (isTried && error instanceof TooMuch) throw error
    // Comparing the documents takes too long, or the differ or patcher refuses them (a key `__proto__`, for example).
    return 'refused'
  }
}
