const NUL = '\0'

/**
 * Where a value from JSON contains U+0000, which Postgres can't store as text: a path such as `tags[1]`, or `''` for
 * the value itself; undefined if it doesn't.
 * @see https://www.postgresql.org/docs/current/datatype-character.html
 */
export function nulIn(value: unknown, path = ''): string | undefined {
  if (typeof value === 'string') return value.includes(NUL) ? path : undefined
  if (typeof value !== 'object' || value === null) return undefined
  for (const [key, member] of Object.entries(value)) {
    const at = Array.isArray(value) ? `${path}[${key}]` : path === '' ? key : `${path}.${key}`
    const found = key.includes(NUL) ? path : nulIn(member, at)
    if (found !== undefined) return found
  }
  return undefined
}
