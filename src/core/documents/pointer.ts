/** A parsed JSON Pointer: its reference tokens, unescaped. */
export type Pointer = readonly string[]

/**
 * Parses a JSON Pointer; the empty string means the whole document.
 * @returns the tokens, or `undefined` when the text isn't a pointer.
 * @see https://www.rfc-editor.org/rfc/rfc6901#section-3
 */
export function parsePointer(text: string): Pointer | undefined {
  if (text === '') return []
  if (!text.startsWith('/')) return undefined
  const tokens = text.slice(1).split('/')
  if (!text.includes('~')) return tokens
  if (/~(?![01])/.test(text)) return undefined
  return tokens.map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'))
}

/**
 * The value a pointer selects, or `undefined` where it selects nothing.
 * @see https://www.rfc-editor.org/rfc/rfc6901#section-4
 */
export function select(document: unknown, pointer: Pointer): unknown {
  let value = document
  for (const token of pointer) {
    if (Array.isArray(value)) {
      if (!/^(0|[1-9]\d*)$/.test(token)) return undefined
      value = value[Number(token)]
    } else if (typeof value === 'object' && value !== null && Object.hasOwn(value, token)) {
      value = (value as Record<string, unknown>)[token]
    } else {
      return undefined
    }
  }
  return value
}

/**
 * Takes the values that the pointers select out of the document, in place. Beyond RFC 6901, a token `*`
 * matches every key and every index. Indexes count as the document came, whatever else is taken out.
 */
export function omit(document: unknown, pointers: readonly Pointer[]): void {
  const items: Items = new Map()
  for (const pointer of pointers) omitOne(document, pointer, 0, items)
  for (const [array, indexes] of items) removeItems(array, indexes)
}

/** Items to take out, once every pointer has found its own. */
type Items = Map<unknown[], Set<string>>

function omitOne(value: unknown, pointer: Pointer, depth: number, items: Items): void {
  if (typeof value !== 'object' || value === null) return
  const token = pointer[depth]
  if (token === undefined) return
  const holder = value as Record<string, unknown>
  const keys = token === '*' ? Object.keys(holder) : Object.hasOwn(holder, token) ? [token] : []
  const last = depth === pointer.length - 1
  for (const key of keys) {
    if (!last) omitOne(holder[key], pointer, depth + 1, items)
    else if (!Array.isArray(value)) delete holder[key]
    else items.set(value, (items.get(value) ?? new Set()).add(key))
  }
}

function removeItems(array: unknown[], indexes: ReadonlySet<string>): void {
  let kept = 0
  for (const [index, item] of array.entries()) {
    if (!indexes.has(String(index))) array[kept++] = item
  }
  array.length = kept
}
