import type { Operation } from 'fast-json-patch'
import { stringifyJson } from './json.ts'
import { checkLevel } from './work.ts'

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }
export type PatchOperation = Operation

/**
 * Serialises a document so that equal documents give equal text: object members sorted by key, no white space.
 * Follows RFC 8785 (JCS) for what `JSON.parse` can return; numbers that a double can't hold stay as they came.
 * @throws TooMuch for a document that is nested too deeply.
 */
export function canonicalJson(value: Json): string {
  return canonicalText(value, { keys: [], sorted: [] }, 0)
}

/** SHA-256 of bytes or UTF-8 text, in hex. */
export function sha256(content: string | Uint8Array): string {
  return Bun.CryptoHasher.hash('sha256', content, 'hex')
}

/**
 * SHA-256 of the document's canonical form, in hex: the hash that every patch entry carries.
 * @throws TooMuch for a document that is nested too deeply.
 */
export function hashDocument(document: Json): string {
  return sha256(canonicalJson(document))
}

/** Whether a value has the shape of an RFC 6902 patch: an array of operations, each with a known `op` and a `path`. */
export function isPatch(value: unknown): value is PatchOperation[] {
  return Array.isArray(value) && value.every(isOperation)
}

function isOperation(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const { op, path } = value as Record<string, unknown>
  if (typeof path !== 'string' || typeof op !== 'string') return false
  return /^(add|remove|replace|move|copy|test)$/.test(op)
}

/** The keys of the last object, as they came and in order: the next one mostly has the same. */
interface LastKeys {
  keys: readonly string[]
  sorted: readonly { key: string; text: string }[]
}

/** Far faster than to sort and serialise each object by itself: a row's keys are those of the row before. */
function canonicalText(value: Json, last: LastKeys, level: number): string {
  if (typeof value === 'string') return stringifyJson(value)
  if (typeof value === 'number' && Number.isFinite(value)) return String(value)
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  checkLevel(level + 1)
  let text = ''
  if (Array.isArray(value)) {
    for (const member of value) text += (text === '' ? '' : ',') + canonicalText(member, last, level + 1)
    return `[${text}]`
  }
  for (const { key, text: name } of sortedKeys(value, last)) {
    text += (text === '' ? name : `,${name}`) + canonicalText(value[key] as Json, last, level + 1)
  }
  return `{${text}}`
}

function sortedKeys(value: { [key: string]: Json }, last: LastKeys): LastKeys['sorted'] {
  const keys = Object.keys(value)
  if (keys.length !== last.keys.length || keys.some((key, at) => key !== last.keys[at])) {
    last.sorted = [...keys].sort().map((key) => ({ key, text: `${JSON.stringify(key)}:` }))
    last.keys = keys
  }
  return last.sorted
}
