import {
  patch as applyPatch,
  canonicalJson,
  diff,
  hashDocument,
  isPatch,
  type Json,
  type PatchOperation,
  sha256,
} from '../core/document.ts'
import type { Followed } from './run.ts'

/** A rebuild applies at most this many patches to a snapshot … */
const SNAPSHOT_EVERY_PATCHES = 200
/** … and reads at most this many times the document's size in patches. */
const SNAPSHOT_EVERY_SIZES = 4

/** How a document moved from one version to the next. */
export interface Step {
  followed: Followed
  kind: 'snapshot' | 'patch'
  changed: boolean
  /** Text to store: the document, or the patch. Left out when nothing changed. */
  data?: string
  /** Bytes of the change as a patch, or of the snapshot where that was smaller. Left out for a first document. */
  patchBytes?: number
}

/**
 * Goes from the last document to the one that a poll brought. The patch is tried on the old document, and only
 * used when that gives the new one's hash and it is smaller.
 */
export function advance(last: Followed | undefined, document: Json, arrayKeys: readonly string[]): Step {
  const hash = hashDocument(document)
  if (last?.hash === hash)
    return { followed: { ...last, document }, kind: 'patch', changed: false, patchBytes: 0 }
  const snapshot = JSON.stringify(document)
  const snapshotBytes = Buffer.byteLength(snapshot)
  const first: Followed = { document, hash, patches: 0, patchBytes: 0 }
  if (last === undefined) return { followed: first, kind: 'snapshot', changed: true, data: snapshot }

  const operations = verifiedPatch(last.document, document, hash, arrayKeys)
  const text = operations && JSON.stringify(operations)
  const patchBytes = text === undefined ? Number.POSITIVE_INFINITY : Buffer.byteLength(text)
  if (text === undefined || patchBytes >= snapshotBytes) {
    return { followed: first, kind: 'snapshot', changed: true, data: snapshot, patchBytes: snapshotBytes }
  }
  if (isDue(last, patchBytes, snapshotBytes)) {
    return { followed: first, kind: 'snapshot', changed: true, data: snapshot, patchBytes }
  }
  const followed = { document, hash, patches: last.patches + 1, patchBytes: last.patchBytes + patchBytes }
  return { followed, kind: 'patch', changed: true, data: text, patchBytes }
}

/**
 * Goes on by a patch that the upstream itself sent.
 * @throws Error when the patch doesn't fit the document.
 */
export function advanceByPatch(last: Followed, operations: PatchOperation[], text: string): Step {
  const document = applyPatch(last.document, operations)
  const canonical = canonicalJson(document)
  const [hash, snapshotBytes] = [sha256(canonical), Buffer.byteLength(canonical)]
  const patchBytes = Buffer.byteLength(text)
  const changed = hash !== last.hash
  if (patchBytes >= snapshotBytes || isDue(last, patchBytes, snapshotBytes)) {
    const followed = { document, hash, patches: 0, patchBytes: 0 }
    const bytes = Math.min(patchBytes, snapshotBytes)
    return { followed, kind: 'snapshot', changed, data: canonical, patchBytes: bytes }
  }
  const followed = { document, hash, patches: last.patches + 1, patchBytes: last.patchBytes + patchBytes }
  return { followed, kind: 'patch', changed, data: text, patchBytes }
}

/** Builds the document again from stored entries: a snapshot, then the patches after it in the order of their `seq`. */
export function rebuild(snapshot: string, patches: readonly string[]): Followed {
  let document = JSON.parse(snapshot) as Json
  let patchBytes = 0
  for (const text of patches) {
    const operations: unknown = JSON.parse(text)
    if (!isPatch(operations)) throw new Error('A stored patch is not an RFC 6902 patch')
    document = applyPatch(document, operations)
    patchBytes += Buffer.byteLength(text)
  }
  return { document, hash: hashDocument(document), patches: patches.length, patchBytes }
}

function isDue(last: Followed, patchBytes: number, snapshotBytes: number): boolean {
  if (last.patches + 1 >= SNAPSHOT_EVERY_PATCHES) return true
  return last.patchBytes + patchBytes > SNAPSHOT_EVERY_SIZES * snapshotBytes
}

function verifiedPatch(
  from: Json,
  to: Json,
  hash: string,
  arrayKeys: readonly string[],
): PatchOperation[] | undefined {
  try {
    const operations = diff(from, to, arrayKeys)
    return hashDocument(applyPatch(from, operations)) === hash ? operations : undefined
  } catch {
    // The differ or the patcher refuses this pair (`__proto__` as a key, for one): the snapshot says it all.
    return undefined
  }
}
