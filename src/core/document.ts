import { applyPatch, type Operation } from 'fast-json-patch'
import { create as createDiffer } from 'jsondiffpatch'
import { format as toJsonPatch } from 'jsondiffpatch/formatters/jsonpatch'

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }
export type PatchOperation = Operation

/** Object keys that identify an array's members where the stream names none, in order of preference. */
const IDENTITY_KEYS = ['id', '_id', 'key', 'uuid']

/**
 * Serialises a document so that equal documents give equal text: object members sorted by key, no white space.
 * Follows RFC 8785 (JCS) for what `JSON.parse` can return.
 */
export function canonicalJson(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const members = Object.keys(value)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonicalJson(value[key] as Json)}`)
  return `{${members.join(',')}}`
}

/** SHA-256 of bytes or UTF-8 text, in hex. */
export function sha256(content: string | Uint8Array): string {
  return new Bun.CryptoHasher('sha256').update(content).digest('hex')
}

/** SHA-256 of the document's canonical form, in hex: the hash that every patch entry carries. */
export function hashDocument(document: Json): string {
  return sha256(canonicalJson(document))
}

/**
 * The RFC 6902 operations that turn `from` into `to`. Array members are matched by `arrayKeys`, or else by the
 * first of `id`, `_id`, `key`, `uuid` they have, or else by position.
 */
export function diff(from: Json, to: Json, arrayKeys: readonly string[] = []): PatchOperation[] {
  const keys = arrayKeys.length > 0 ? arrayKeys : IDENTITY_KEYS
  const differ = createDiffer({
    objectHash: (member, index) => identity(member, keys) ?? `$position:${index}`,
    arrays: { detectMove: true },
  })
  const delta = differ.diff(from, to)
  return delta === undefined ? [] : (toJsonPatch(delta) as PatchOperation[])
}

/**
 * Applies RFC 6902 operations to a copy of the document.
 * @throws Error when an operation is malformed, its target is missing or a `test` fails; the document is unchanged.
 */
export function patch(document: Json, operations: readonly PatchOperation[]): Json {
  return applyPatch(document, operations, true, false).newDocument as Json
}

/** Whether a value has the shape of an RFC 6902 patch: an array of operations, each with a known `op` and a `path`. */
export function isPatch(value: unknown): value is PatchOperation[] {
  return Array.isArray(value) && value.every(isOperation)
}

function isOperation(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const { op, path } = value as Record<string, unknown>
  return typeof path === 'string' && /^(add|remove|replace|move|copy|test)$/.test(String(op))
}

function identity(member: unknown, keys: readonly string[]): string | undefined {
  if (typeof member !== 'object' || member === null) return undefined
  for (const key of keys) {
    const value = (member as Record<string, unknown>)[key]
    if (typeof value === 'string' || typeof value === 'number') return `${key}:${value}`
  }
  return undefined
}
