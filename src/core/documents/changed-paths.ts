import type { Json, PatchOperation } from './document.ts'
import { parsePointer, select } from './pointer.ts'

/** The path for a document that was replaced as a whole. */
export const WHOLE_DOCUMENT = ''
/** Distinct paths reported per patch; further ones are left out. */
const MAX_PATHS = 20
/** A longer path is represented by one of its ancestors. */
const MAX_PATH_CHARS = 200

/**
 * Where a patch changes a document: distinct JSON Pointers with `*` for every array index. The documents show what a pointer
 * passes through, but only approximately: its indexes refer to states between the two.
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
