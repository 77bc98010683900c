import type { Json, PatchOperation } from './document.ts'
import { parsePointer, select } from './pointer.ts'

/** The path of a document that was replaced as a whole. */
export const WHOLE_DOCUMENT = ''
/** Distinct paths told of one patch; the others are left out. */
const MAX_PATHS = 20
/** Of a longer path, what is above stands for it. */
const MAX_PATH_CHARS = 200

/**
 * Where a patch changes a document: distinct JSON Pointers in which every array index stands as `*`. What a pointer
 * passes through shows in the documents, as nearly as a patch lets one tell: its indexes count in between the two.
 */
export function changedPaths(operations: readonly PatchOperation[], from: Json, to: Json): string[] {
  const paths = new Set<string>()
  for (const operation of operations) {
    if (operation.op === 'test') continue
    paths.add(generalPath(operation.path, [to, from]))
    if (operation.op === 'move') paths.add(generalPath(operation.from, [to, from]))
    if (paths.size >= MAX_PATHS) break
  }
  return [...paths].slice(0, MAX_PATHS)
}

function generalPath(path: string, documents: readonly unknown[]): string {
  const keys = parsePointer(path) ?? []
  const tokens = path.split('/').slice(1)
  let holders = documents
  let general = ''
  for (const [depth, token] of tokens.entries()) {
    const next = `${general}/${holders.some(Array.isArray) ? '*' : token}`
    if (next.length > MAX_PATH_CHARS) break
    general = next
    holders = holders.map((holder) => select(holder, keys.slice(depth, depth + 1)))
  }
  return general
}
