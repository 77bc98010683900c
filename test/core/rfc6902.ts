import type { Json } from '../../src/core/documents/document.ts'
import { parseJson } from '../../src/core/documents/json.ts'

type Container = { [key: string]: Json }
type Operation = { op: string; path: string; from: string; value: Json }

/**
 * Applies a patch as a reader of a stream would: written from the RFC alone, and strict. Knows the operations that
 * Weir sends.
 * @see https://www.rfc-editor.org/rfc/rfc6902#section-4
 */
export function applyByTheBook(document: Json, patchText: string): Json {
  const root: Container = { root: structuredClone(document) }
  for (const operation of parseJson(patchText) as Operation[]) apply(root, operation)
  return root.root as Json
}

function apply(root: Container, { op, path, from, value }: Operation): void {
  if (op === 'add') return void add(root, path, value)
  if (op === 'remove') return void take(root, path)
  if (op === 'replace') {
    take(root, path)
    return void add(root, path, value)
  }
  if (op === 'move') return void add(root, path, take(root, from))
  throw new Error(`No such operation: ${op}`)
}

function add(root: Container, path: string, value: Json): void {
  const [holder, key] = find(root, path)
  if (!Array.isArray(holder)) define(holder, key, value)
  else holder.splice(key === '-' ? holder.length : index(key, holder.length), 0, value)
}

function take(root: Container, path: string): Json {
  const [holder, key] = find(root, path)
  if (Array.isArray(holder)) return holder.splice(index(key, holder.length - 1), 1)[0] as Json
  const value = member(holder, key)
  delete holder[key]
  return value
}

function find(root: Container, path: string): [holder: Json[] | Container, key: string] {
  const tokens = `/root${path}`
    .slice(1)
    .split('/')
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'))
  const key = tokens.pop() as string
  const holder = tokens.reduce<Json>(member, root)
  if (typeof holder !== 'object' || holder === null) throw new Error(`${path} is in nothing`)
  return [holder, key]
}

function member(holder: Json, token: string): Json {
  if (Array.isArray(holder)) return holder[index(token, holder.length - 1)] as Json
  if (typeof holder !== 'object' || holder === null || !Object.hasOwn(holder, token)) {
    throw new Error(`Nothing at ${token}`)
  }
  return holder[token] as Json
}

function index(token: string, most: number): number {
  if (!/^(0|[1-9]\d*)$/.test(token) || Number(token) > most) throw new Error(`${token} is no index here`)
  return Number(token)
}

function define(holder: Container, key: string, value: Json): void {
  Object.defineProperty(holder, key, { value, enumerable: true, writable: true, configurable: true })
}
