import { changedPaths, WHOLE_DOCUMENT } from '../core/changed-paths.ts'
import { diff } from '../core/diff.ts'
import {
  canonicalJson,
  hashDocument,
  isPatch,
  type Json,
  type PatchOperation,
  sha256,
} from '../core/document.ts'
import { parseJson, stringifyJson } from '../core/json.ts'
import { isEqual } from '../core/member-names.ts'
import { patch as applyPatch } from '../core/patch.ts'
import type { Draft } from './entry.ts'
import type { Followed } from './run.ts'

/** After this many patches a keyframe is due, so that a rebuild applies no more … */
const SNAPSHOT_EVERY_PATCHES = 200
/** … and after patches of more than this many times the document's size. */
const SNAPSHOT_EVERY_SIZES = 4

/** How a document moved from one version to the next. */
export interface Step {
  followed: Followed
  kind: 'snapshot' | 'patch'
  changed: boolean
  /** Text to store: the document, or the patch. Left out when nothing changed. */
  data?: string
  /** Sizes of the change and of the document, as the entry has them. */
  patchBytes?: number
  snapshotBytes?: number
  /** The document's text, where it is due to be stored beside the patch. */
  keyframe?: string
  /** Whether there was a patch that didn't give the document. */
  mismatched?: boolean
  /** Left out for a first document. */
  paths?: string[]
}

/** Makes patches; what they lead to is checked. */
export type Differ = (from: Json, to: Json, arrayKeys: readonly string[]) => PatchOperation[]

/**
 * Goes from the last document to the one that a poll brought. The patch is tried on the old document, and only
 * used when that gives the new one and it is smaller.
 */
export function advance(
  last: Followed | undefined,
  document: Json,
  arrayKeys: readonly string[],
  differ: Differ = diff,
): Step {
  const hash = hashDocument(document)
  if (last?.hash === hash)
    return { followed: { ...last, document }, kind: 'patch', changed: false, patchBytes: 0 }
  const snapshot = stringifyJson(document)
  const snapshotBytes = Buffer.byteLength(snapshot)
  const first: Followed = { document, hash, patches: 0, patchBytes: 0 }
  const whole = { followed: first, kind: 'snapshot', changed: true, data: snapshot, snapshotBytes } as const
  if (last === undefined) return whole

  const replaced = { ...whole, paths: [WHOLE_DOCUMENT] }
  const operations = verifiedPatch(last.document, document, (from, to) => differ(from, to, arrayKeys))
  if (operations === 'refused') return replaced
  if (operations === 'mismatched') return { ...replaced, mismatched: true }
  const data = stringifyJson(operations)
  const patchBytes = Buffer.byteLength(data)
  if (patchBytes >= snapshotBytes) return { ...replaced, patchBytes }
  const followed = afterPatch(last, document, hash, patchBytes)
  return {
    followed,
    kind: 'patch',
    changed: true,
    data,
    patchBytes,
    snapshotBytes,
    keyframe: isDue(followed, snapshotBytes) ? snapshot : undefined,
    paths: changedPaths(operations, last.document, document),
  }
}

/**
 * Goes on by a patch that the upstream itself sent.
 * @param isStored whether the log holds the last document; where it doesn't, the new one is stored
 * @throws Error when the patch doesn't fit the document.
 */
export function advanceByPatch(
  last: Followed,
  operations: PatchOperation[],
  text: string,
  isStored = true,
): Step {
  const document = applyPatch(last.document, operations)
  const canonical = canonicalJson(document)
  const [hash, snapshotBytes] = [sha256(canonical), Buffer.byteLength(canonical)]
  const textBytes = Buffer.byteLength(text)
  const changed = hash !== last.hash
  const patchBytes = changed ? textBytes : 0
  if (!isStored || textBytes >= snapshotBytes) {
    const followed = { document, hash, patches: 0, patchBytes: 0 }
    const paths = changed ? [WHOLE_DOCUMENT] : undefined
    return { followed, kind: 'snapshot', changed, data: canonical, patchBytes, snapshotBytes, paths }
  }
  const followed = afterPatch(last, document, hash, textBytes)
  return {
    followed,
    kind: 'patch',
    changed,
    data: text,
    patchBytes,
    snapshotBytes,
    keyframe: isDue(followed, snapshotBytes) ? canonical : undefined,
    paths: changed ? changedPaths(operations, last.document, document) : undefined,
  }
}

/** The document as it stands once its keyframe is stored. */
export function afterKeyframe(followed: Followed): Followed {
  return { ...followed, patches: 0, patchBytes: 0 }
}

/** The entry that stores a keyframe: it stands for nothing that was received or changed. */
export function keyframeDraft(at: number, { keyframe, followed, snapshotBytes }: Step): Draft | undefined {
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

function afterPatch(last: Followed, document: Json, hash: string, patchBytes: number): Followed {
  return { document, hash, patches: last.patches + 1, patchBytes: last.patchBytes + patchBytes }
}

function isDue({ patches, patchBytes }: Followed, snapshotBytes: number): boolean {
  return patches >= SNAPSHOT_EVERY_PATCHES || patchBytes > SNAPSHOT_EVERY_SIZES * snapshotBytes
}

function verifiedPatch(
  from: Json,
  to: Json,
  differ: (from: Json, to: Json) => PatchOperation[],
): PatchOperation[] | 'refused' | 'mismatched' {
  try {
    const operations = differ(from, to)
    return isEqual(applyPatch(from, operations), to) ? operations : 'mismatched'
  } catch {
    // The pair takes too long to compare, or the differ or the patcher refuses it (`__proto__` as a key, for one).
    return 'refused'
  }
}
